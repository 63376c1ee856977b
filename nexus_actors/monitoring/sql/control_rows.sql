-- What operators have set, newest first, at most $1 rows.
SELECT c.action, c.subject, c.name, c.node, n.name AS node_name, c.value, c.until, c.by, c.why, c.since,
       c.until IS NOT NULL AND c.until <= clock_timestamp() AS is_over
FROM nexus.control AS c
LEFT JOIN nexus.nodes AS n ON n.node = c.node
ORDER BY c.since DESC, c.action, c.subject, c.name, c.node
LIMIT $1
