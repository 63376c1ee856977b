-- The rows of nexus.control in force for the nodes with these names ($1), and for all nodes.
SELECT c.action, c.subject, c.name, c.node, c.value, c.by, c.why, c.since, c.until,
       extract(epoch FROM c.until - clock_timestamp())::double precision AS seconds_left
FROM nexus.control AS c
WHERE (c.node = '*' OR c.node = ANY ($1::text[])) AND (c.until IS NULL OR c.until > clock_timestamp())
ORDER BY c.since, c.action, c.subject, c.name, c.node
LIMIT 10000
