-- What is paused for all nodes, as far as it may keep a request of queue $1 that nobody has leased: the queue first.
SELECT c.subject, c.name, c.by, c.why, c.since, c.until
FROM nexus.control AS c
WHERE c.action = 'pause' AND c.node = '*' AND (c.subject <> 'queue' OR c.name = $1)
      AND (c.until IS NULL OR c.until > clock_timestamp())
ORDER BY c.subject <> 'queue', c.subject, c.name
LIMIT 100
