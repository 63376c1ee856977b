-- The last orders to the node $1, at most $2, among the newest thousand orders to all nodes.
SELECT c.number, c.action, c.actor, c.now, c.by, c.why, c.at, c.taken_at, c.ended_at, c.outcome
FROM (SELECT * FROM nexus.commands AS a ORDER BY a.number DESC LIMIT 1000) AS c
WHERE c.node = $1
ORDER BY c.number DESC
LIMIT $2
