-- Acknowledge the deliveries ($1, $2) (msg_id, read_ct), fenced: what was delivered again is left alone.
--
-- Locks: queue rows in order of msg_id.
WITH held AS MATERIALIZED (
    SELECT q.msg_id
    FROM pgmq.q_{requests} AS q
    JOIN unnest($1::bigint[], $2::integer[]) AS d (msg_id, read_ct)
         ON d.msg_id = q.msg_id AND d.read_ct = q.read_ct
    ORDER BY q.msg_id
    FOR UPDATE OF q
)
SELECT pgmq.{acknowledge}('{requests}', ARRAY(SELECT msg_id FROM held))
