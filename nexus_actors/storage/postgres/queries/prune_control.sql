-- Like prune_requests.sql, for rows of nexus.control that ended more than $1 seconds ago. Setting a row again creates
-- another version of it, which an old key does not delete.
SELECT ctid::text AS key
FROM nexus.control
WHERE $1::float8 > 0 AND $2::bigint = 0 AND until < clock_timestamp() - make_interval(secs => $1) AND ctid::text <> ALL ($4::text[])
ORDER BY until
LIMIT $3
