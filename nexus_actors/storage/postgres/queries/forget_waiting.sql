-- Make requests visible that instance $1 gave back to wait for a provider: it stops, and others may not have that
-- provider.
--
-- Every row is looked up by its key, as in finish.sql.
-- Locks: queue rows in order of msg_id, then journal rows in order of request_id.
WITH mine AS MATERIALIZED (
    SELECT r.request_id, r.msg_id, r.read_ct, r.received_at
    FROM nexus.requests AS r
    WHERE r.owner = $1 AND r.state = 'waiting' AND r.queue = '{requests}'
),
queued AS MATERIALIZED (
    SELECT q.msg_id, r.request_id
    FROM mine AS r
    JOIN pgmq.q_{requests} AS q ON q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND {same_r}
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM mine))
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
held AS MATERIALIZED (
    SELECT r.request_id, r.msg_id
    FROM nexus.requests AS r
    JOIN queued AS f ON f.request_id = r.request_id
    WHERE (SELECT count(*) FROM queued) >= 0
          AND r.request_id = ANY (ARRAY(SELECT request_id FROM queued))
          AND r.msg_id = f.msg_id AND (r.owner, r.state) IS NOT DISTINCT FROM ($1, 'waiting')
    ORDER BY r.request_id
    FOR UPDATE OF r
),
{released}
