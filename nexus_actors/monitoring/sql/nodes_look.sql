-- Makes the node $1 show $2 for ten seconds, in the name of $3, and returns its last sight of it with its age in seconds.
WITH looked AS MATERIALIZED (SELECT nexus.look($1, $2, $3) AS done)
SELECT s.at, s.body::text AS body, extract(epoch FROM clock_timestamp() - s.at)::float8 AS age
FROM looked
LEFT JOIN nexus.sights AS s ON s.node = $1 AND s.what = $2
WHERE octet_length(s.body::text) <= 2000000 OR s.body IS NULL
