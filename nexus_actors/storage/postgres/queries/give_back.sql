-- Return leases of instance $1: the items of $2 (JSON) become visible after their delay, or wait for a provider,
-- invisible for $4 seconds (up to twice that, so that many do not come back at once). $3 (JSON) are the attempts.
-- Messages that another process has leased since are left alone.
--
-- The journal row is the fence, since every lease writes it. Every row is looked up by its key, as in finish.sql.
-- Locks: queue rows in order of msg_id, then journal rows in order of request_id, then spending by budget and period.
WITH item AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset($2::json) AS i (
        msg_id bigint, read_ct integer, request_id text, attempt_count integer, spared_count integer,
        used_candidates text[], lane text, reason text, detail text, delay double precision, expires_in double precision
    )
),
queued AS MATERIALIZED (
    SELECT q.msg_id
    FROM pgmq.q_{requests} AS q
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM item))
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
-- A cancelled request does not wait: it ends at its next lease.
cancelled AS MATERIALIZED (
    SELECT c.request_id FROM nexus.cancellations AS c WHERE c.request_id = ANY (ARRAY(SELECT request_id FROM item))
),
owned AS MATERIALIZED (
    SELECT r.request_id, r.msg_id, r.received_at, i.attempt_count, i.spared_count, i.used_candidates, i.reason, i.detail,
           CASE WHEN c.request_id IS NULL THEN i.lane END AS lane,
           CASE WHEN c.request_id IS NULL THEN i.delay ELSE 0 END AS delay, i.expires_in
    FROM nexus.requests AS r
    JOIN item AS i ON i.request_id = r.request_id
    LEFT JOIN cancelled AS c ON c.request_id = i.request_id
    -- Counting makes it take all locks on the queue before the first on the journal.
    WHERE (SELECT count(*) FROM queued) >= 0
          AND r.request_id = ANY (ARRAY(SELECT request_id FROM item))
          AND r.queue = '{requests}' AND r.msg_id = i.msg_id AND r.read_ct = i.read_ct
          AND (r.owner, r.state) IS NOT DISTINCT FROM ($1, 'leased')
    ORDER BY r.request_id
    FOR UPDATE OF r
),
returned AS (
    UPDATE nexus.requests AS r
    SET state = CASE WHEN h.lane IS NULL THEN 'queued' ELSE 'waiting' END,
        lane = h.lane, deadline = clock_timestamp() + make_interval(secs => h.expires_in),
        wait_reason = h.reason, wait_detail = h.detail,
        wait_until = CASE WHEN h.delay > 0 THEN clock_timestamp() + make_interval(secs => h.delay) END,
        -- The lease has counted an attempt ahead.
        wait_since = CASE WHEN r.wait_reason = h.reason AND r.attempts = h.attempt_count + 1 AND r.wait_since IS NOT NULL
                          THEN r.wait_since ELSE clock_timestamp() END,
        attempts = h.attempt_count, spared_attempts = h.spared_count, used_candidates = h.used_candidates
    FROM owned AS h
    WHERE r.request_id = h.request_id AND r.request_id = ANY (ARRAY(SELECT request_id FROM owned))
),
visible AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = CASE WHEN h.lane IS NULL THEN clock_timestamp() + make_interval(secs => h.delay)
                  ELSE clock_timestamp()
                       + make_interval(secs => $4 * (1 + random())) END
    FROM owned AS h
    WHERE q.msg_id = h.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM owned)) AND {same_h}
),
{attempts}
-- An update does not fire our trigger, and other processes may have room.
SELECT CASE WHEN EXISTS (SELECT FROM owned WHERE lane IS NULL AND delay <= 0) AND pg_notification_queue_usage() < 0.5
            THEN pg_notify('{channel}', '') END
