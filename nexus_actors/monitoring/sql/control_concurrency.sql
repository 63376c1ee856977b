-- The concurrency limit of each provider, as reported by each running node; at most $1 rows.
SELECT n.node, n.name, p.key AS provider, left(p.value::text, 12) AS calls
FROM nexus.node_states AS n
CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(n.concurrency) = 'object' THEN n.concurrency ELSE '{}' END) AS p
WHERE n.state NOT IN ('lost', 'stopped')
ORDER BY p.key, n.name, n.node
LIMIT $1
