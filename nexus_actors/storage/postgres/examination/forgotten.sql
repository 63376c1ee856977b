-- Pauses and drains without an end that were set more than $1 seconds ago, but for the one of the queue itself, which the
-- check of the queue names (read_pauses.sql).
SELECT c.action, c.subject, c.name, c.node, c.by, c.why, c.since,
       extract(epoch FROM clock_timestamp() - c.since)::float8 AS seconds
FROM nexus.control AS c
WHERE c.action IN ('pause', 'drain') AND c.until IS NULL AND c.since < clock_timestamp() - make_interval(secs => $1)
      AND (c.action, c.subject, c.name, c.node) <> ('pause', 'queue', '{requests}', '*')
ORDER BY c.since
LIMIT 100
