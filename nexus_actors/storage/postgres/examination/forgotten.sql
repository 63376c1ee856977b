-- Pauses and drains without an end that were set more than $1 seconds ago.
SELECT c.action, c.subject, c.name, c.node, c.by, c.why, c.since,
       extract(epoch FROM clock_timestamp() - c.since)::float8 AS seconds
FROM nexus.control AS c
WHERE c.action IN ('pause', 'drain') AND c.until IS NULL AND c.since < clock_timestamp() - make_interval(secs => $1)
ORDER BY c.since
LIMIT 100
