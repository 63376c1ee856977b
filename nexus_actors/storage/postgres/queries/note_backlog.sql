-- Record the length of the requests queue if it is the maximum of its minute or hour. $1: the most messages that are
-- counted.
INSERT INTO nexus.backlog AS b (queue, span, at, messages, due_seconds)
SELECT '{requests}', s.span, date_trunc(s.span, clock_timestamp(), 'UTC'),
       CASE WHEN n.counted < $1::bigint THEN n.counted
            ELSE greatest(n.counted, (SELECT c.reltuples::bigint FROM pg_class AS c WHERE c.oid = 'pgmq.q_{requests}'::regclass)) END,
       greatest(n.due_seconds, 0)
FROM (
    SELECT (SELECT count(*) FROM (SELECT 1 FROM pgmq.q_{requests} LIMIT $1::bigint) AS m) AS counted,
           (SELECT extract(epoch FROM clock_timestamp() - m.vt)::float8 FROM pgmq.q_{requests} AS m
            WHERE m.vt <= clock_timestamp() AND m.vt >= '1970-01-01 00:00:00+00' ORDER BY m.vt LIMIT 1) AS due_seconds
) AS n
CROSS JOIN (VALUES ('minute'), ('hour')) AS s (span)
ON CONFLICT (queue, span, at) DO UPDATE
SET messages = greatest(b.messages, excluded.messages), due_seconds = greatest(b.due_seconds, excluded.due_seconds)
WHERE excluded.messages > b.messages OR excluded.due_seconds > b.due_seconds
