-- The last sight of $2 by the node $1, with its age in seconds.
SELECT s.at, s.body::text AS body, extract(epoch FROM clock_timestamp() - s.at)::float8 AS age
FROM nexus.sights AS s
WHERE s.node = $1 AND s.what = $2 AND octet_length(s.body::text) <= 2000000
