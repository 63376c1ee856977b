-- Acknowledge the deliveries ($1, $2) (msg_id, read_ct). Fenced: a message that was delivered again is left alone. A
-- message whose number is in the archive already (the sequence was reset, or a producer chose the number) is deleted.
--
-- Locks: queue rows in order of msg_id.
WITH held AS MATERIALIZED (
    SELECT q.msg_id, (SELECT true FROM pgmq.a_{requests} AS a WHERE a.msg_id = q.msg_id LIMIT 1) IS NOT NULL AS archived
    FROM pgmq.q_{requests} AS q
    JOIN unnest($1::bigint[], $2::integer[]) AS d (msg_id, read_ct)
         ON d.msg_id = q.msg_id AND d.read_ct = q.read_ct
    -- By key, as in finish.sql.
    WHERE q.msg_id = ANY ($1)
    ORDER BY q.msg_id
    FOR UPDATE OF q
)
SELECT pgmq.{acknowledge}('{requests}', ARRAY(SELECT msg_id FROM held WHERE NOT archived)),
       pgmq.delete('{requests}', ARRAY(SELECT msg_id FROM held WHERE archived))
