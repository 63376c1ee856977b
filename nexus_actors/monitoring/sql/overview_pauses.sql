-- What operators have set and is in force, at most $1 rows.
SELECT action, subject, name, node, value, until, by, why
FROM nexus.control
WHERE until IS NULL OR until > now()
ORDER BY action, subject, name, node
LIMIT $1
