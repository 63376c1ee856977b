-- Like prune_requests.sql, for looks that ended more than $1 seconds ago, with their sights.
SELECT ctid::text AS key
FROM nexus.looks
WHERE $1::float8 > 0 AND $2::bigint = 0 AND until < clock_timestamp() - make_interval(secs => $1) AND ctid::text <> ALL ($4::text[])
LIMIT $3
