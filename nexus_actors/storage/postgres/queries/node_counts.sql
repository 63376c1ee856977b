-- The number of nodes of the queue $1 by state.
SELECT state, count(*) AS nodes
FROM nexus.node_states
WHERE queue = $1
GROUP BY state
