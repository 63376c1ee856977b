-- The pauses that keep requests of queue $1 from being leased by any node. Under other pauses, requests are leased and
-- record the reason themselves.
SELECT c.subject, c.name, c.by, c.why, c.since, c.until
FROM nexus.control AS c
WHERE c.action = 'pause' AND c.node = '*' AND c.subject = 'queue' AND c.name = $1
      AND (c.until IS NULL OR c.until > clock_timestamp())
