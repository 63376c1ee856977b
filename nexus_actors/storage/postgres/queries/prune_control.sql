-- As prune_requests.sql, of what operators wanted until a time that was over $1 seconds ago. A row that is set anew meanwhile is
-- another, so none is deleted by an old key.
SELECT ctid::text AS key
FROM nexus.control
WHERE $1::float8 > 0 AND $2::bigint = 0 AND until < clock_timestamp() - make_interval(secs => $1) AND ctid::text <> ALL ($4::text[])
ORDER BY until
LIMIT $3
