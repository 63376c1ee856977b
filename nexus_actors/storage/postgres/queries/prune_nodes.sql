-- Like prune_requests.sql, for nodes that have been stopped or lost for $1 seconds, or beyond the $2 most recent ones.
SELECT node AS key
FROM (SELECT node, beat_at, row_number() OVER (ORDER BY beat_at DESC, node) AS place
      FROM nexus.node_states
      WHERE state IN ('stopped', 'lost') AND node <> ALL ($4::text[])) AS gone
WHERE ($1::float8 > 0 AND beat_at < now() - make_interval(secs => $1)) OR ($2::bigint > 0 AND place > $2)
ORDER BY beat_at
LIMIT $3
