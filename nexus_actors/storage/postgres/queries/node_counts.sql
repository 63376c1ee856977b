-- How many nodes of the queue $1 there are, by state.
SELECT state, count(*) AS nodes
FROM nexus.node_states
WHERE queue = $1
GROUP BY state
