-- Make the message that is due first invisible for $1 seconds; this counts as a delivery. It neither reads the message
-- nor touches the journal, so it succeeds where `lease` fails because of that message.
UPDATE pgmq.q_{requests} AS q
SET vt = clock_timestamp() + make_interval(secs => $1),
    read_ct = CASE WHEN q.read_ct BETWEEN 0 AND 2147483000 THEN q.read_ct ELSE 0 END + 1
WHERE q.msg_id = (
    SELECT f.msg_id
    FROM (SELECT q.msg_id
          FROM pgmq.q_{requests} AS q
          WHERE {due} <= now()
          ORDER BY {due}
          LIMIT 1
          FOR UPDATE SKIP LOCKED) AS f)
RETURNING q.msg_id, q.read_ct
