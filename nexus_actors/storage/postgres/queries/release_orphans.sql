-- Make messages visible that instance $1 has leased but does not work on: all its leases except the messages $2.
--
-- $3: calls may have been made under these leases. Then the journal row stays 'leased', so that the next lease records
-- an interrupted attempt. Otherwise the attempt that was counted ahead is subtracted. Every row is looked up by its
-- key, as in finish.sql.
-- Locks: queue rows in order of msg_id, then journal rows.
WITH mine AS MATERIALIZED (
    SELECT r.request_id, r.msg_id, r.read_ct, r.received_at
    FROM nexus.requests AS r
    WHERE r.owner = $1 AND r.state = 'leased' AND r.queue = '{requests}' AND r.msg_id <> ALL ($2::bigint[])
),
queued AS MATERIALIZED (
    SELECT q.msg_id, q.read_ct, r.request_id
    FROM mine AS r
    JOIN pgmq.q_{requests} AS q ON q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND {same_r}
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM mine)) AND q.vt > clock_timestamp()
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
uncounted AS (
    UPDATE nexus.requests AS r
    SET state = 'queued', attempts = greatest(r.attempts - 1, 0)
    FROM queued AS f
    WHERE NOT $3 AND r.request_id = f.request_id AND r.request_id = ANY (ARRAY(SELECT request_id FROM queued))
          AND r.state IS NOT DISTINCT FROM 'leased'
          AND r.msg_id = f.msg_id AND r.read_ct = f.read_ct
),
released AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp()
    FROM queued AS f
    WHERE q.msg_id = f.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM queued))
    RETURNING q.msg_id
)
SELECT count(*), CASE WHEN count(*) > 0 AND pg_notification_queue_usage() < 0.5 THEN pg_notify('{channel}', '') END FROM released
