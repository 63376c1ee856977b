-- Nodes of the queue $1, running ones first, at most $2.
SELECT node, name, host, version, state, why, in_flight, concurrency::text AS concurrency, restarts, last_error,
       started_at, beat_age, chores
FROM nexus.node_states
WHERE queue = $1
ORDER BY state IN ('stopped', 'lost'), name, beat_at DESC
LIMIT $2
