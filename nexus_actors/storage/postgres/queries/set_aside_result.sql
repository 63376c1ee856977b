-- Move the result ($1, $2) (msg_id, read_ct) to the dead-letter queue with the reason $3, fenced.
--
-- Locks: the queue's row.
WITH held AS MATERIALIZED (
    SELECT q.msg_id, q.message
    FROM pgmq.q_{results} AS q
    WHERE q.msg_id = $1 AND q.read_ct = $2
    FOR UPDATE
),
buried AS MATERIALIZED (
    SELECT count(*)
    FROM held AS h
    CROSS JOIN LATERAL pgmq.send(
        '{dead}',
        jsonb_build_object('result', h.message, 'reason', $3::text, 'msg_id', h.msg_id,
                           'queue', '{results}', 'dead_at', now()))
)
SELECT pgmq.{acknowledge}('{results}', ARRAY(SELECT msg_id FROM held))
WHERE (SELECT count FROM buried) >= 0
