-- All nodes, running ones first; at most $1.
SELECT node, name, host, version, pid, queue, started_at, beat_at, state, why, in_flight, concurrency::text AS concurrency,
       restarts, last_error, beat_age, chores
FROM nexus.node_states
ORDER BY state IN ('stopped', 'lost'), name, beat_at DESC
LIMIT $1
