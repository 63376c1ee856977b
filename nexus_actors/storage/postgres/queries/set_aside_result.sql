-- Move the result ($1, $2) (msg_id, read_ct) to the dead-letter queue with the reason $3, fenced. One that is too large
-- for a letter stays in the archive. The journal records it with the request $4, if that is known.
--
-- Locks: the queue's row.
WITH held AS MATERIALIZED (
    SELECT q.msg_id, q.message,
           EXISTS (SELECT FROM pgmq.a_{results} AS a WHERE a.msg_id = q.msg_id) AS doubled
    FROM pgmq.q_{results} AS q
    WHERE q.msg_id = $1 AND q.read_ct = $2
    FOR UPDATE
),
letters AS MATERIALIZED (
    SELECT h.msg_id, h.doubled,
           nexus.dead_letter(
               h.message, 'result',
               jsonb_build_object('reason', $3::text, 'msg_id', h.msg_id, 'queue', '{results}', 'dead_at', now()),
               CASE WHEN NOT h.doubled THEN h.msg_id END) AS letter
    FROM held AS h
),
noted AS (
    UPDATE nexus.requests SET result_trouble = 'set aside as a dead letter: ' || $3::text
    WHERE request_id = $4::text AND finished_at IS NOT NULL AND EXISTS (SELECT FROM held)
),
buried AS MATERIALIZED (
    SELECT count(*) FROM letters AS l CROSS JOIN LATERAL pgmq.send('{dead}', l.letter)
)
SELECT CASE WHEN NOT l.doubled AND ('{acknowledge}' = 'archive' OR l.letter ->> 'archived_msg_id' IS NOT NULL)
            THEN pgmq.archive('{results}', l.msg_id) ELSE pgmq.delete('{results}', l.msg_id) END
FROM letters AS l
WHERE (SELECT count FROM buried) >= 0
