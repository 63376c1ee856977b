-- As prune_requests.sql, of the looks, with their sights, that were over $1 seconds ago.
SELECT ctid::text AS key
FROM nexus.looks
WHERE $1::float8 > 0 AND $2::bigint = 0 AND until < clock_timestamp() - make_interval(secs => $1) AND ctid::text <> ALL ($4::text[])
LIMIT $3
