-- All nodes of the installation, running ones first, at most $1.
SELECT node, name, host, version, pid, queue, state, why, beat_age
FROM nexus.node_states
ORDER BY state IN ('stopped', 'lost'), name, beat_at DESC
LIMIT $1
