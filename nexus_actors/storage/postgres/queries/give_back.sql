-- Return leases of instance $1: the items of $2 (JSON) become visible after their delay, or wait for a
-- lane, invisible for $4 seconds (up to twice that, so that many do not come back at once). $3 (JSON) are attempts made. What another process has since leased is left alone.
--
-- The journal row is the fence, as every lease of ours writes it. Every row is looked up by its key, as in finish.sql. Locks: queue rows in order of msg_id, then
-- journal rows in order of request_id, then spending by budget and period.
WITH item AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset($2::json) AS i (
        msg_id bigint, read_ct integer, request_id text, attempt_count integer, spared_count integer,
        used_candidates text[], lane text, delay double precision, expires_in double precision
    )
),
queued AS MATERIALIZED (
    SELECT q.msg_id
    FROM pgmq.q_{requests} AS q
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM item))
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
held AS MATERIALIZED (
    SELECT r.request_id, r.msg_id, r.received_at, i.attempt_count, i.spared_count, i.used_candidates, i.lane, i.delay,
           i.expires_in
    FROM nexus.requests AS r
    JOIN item AS i ON i.request_id = r.request_id
    -- Counting forces all of the queue's locks before the first of the journal's.
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
        attempts = h.attempt_count, spared_attempts = h.spared_count, used_candidates = h.used_candidates
    FROM held AS h
    WHERE r.request_id = h.request_id AND r.request_id = ANY (ARRAY(SELECT request_id FROM held))
),
visible AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = CASE WHEN h.lane IS NULL THEN clock_timestamp() + make_interval(secs => h.delay)
                  ELSE clock_timestamp()
                       + make_interval(secs => $4 * (1 + random())) END
    FROM held AS h
    WHERE q.msg_id = h.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM held)) AND {same_h}
),
-- All that the attempts settle or correct, in one order, before any of it is changed: the triggers take it row by row.
money AS MATERIALIZED (
    SELECT s.budget
    FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT m.budget, m.period FROM nexus.reservations AS m
        WHERE m.request_id = ANY (ARRAY(SELECT request_id FROM held))
        UNION ALL
        SELECT m.budget, m.period FROM nexus.assumed_costs AS m
        WHERE m.request_id = ANY (ARRAY(SELECT request_id FROM held)))
    ORDER BY s.budget, s.period
    FOR UPDATE OF s
),
told AS MATERIALIZED (
    SELECT a.*
    FROM json_to_recordset($3::json) AS a (
        request_id text, number integer, provider text, model text, outcome text,
        status_code integer, duration_ms bigint, cost numeric, error text, maybe_paid boolean,
        spared boolean, dropped text[], first_text_ms integer, key_name text, cost_basis text,
        started_at timestamptz
    )
    JOIN held AS o ON o.request_id = a.request_id
),
-- What this instance reserved for them, or is taken to have spent; what it reserved for a call that it never made comes back.
settled AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT m.request_id, m.number, true AS reserved
          FROM nexus.reservations AS m
          WHERE m.owner = $1 AND m.request_id = ANY (ARRAY(SELECT request_id FROM held))
          UNION
          SELECT m.request_id, m.number, false
          FROM nexus.assumed_costs AS m
          WHERE m.owner = $1 AND m.request_id = ANY (ARRAY(SELECT request_id FROM held))) AS m
    LEFT JOIN told AS t ON t.request_id = m.request_id AND t.number = m.number
    CROSS JOIN LATERAL nexus.correct_spending(
        m.request_id, m.number, $1, t.cost, coalesce(t.outcome = 'ok' OR t.maybe_paid, false)) AS s
    WHERE (SELECT count(*) FROM money) >= 0 AND (m.reserved OR t.number IS NOT NULL)
),
attempted AS (
    INSERT INTO nexus.attempts (
        request_id, number, provider, model, outcome, status_code, duration_ms, cost, error, maybe_paid,
        spared, dropped, first_text_ms, key_name, cost_basis, owner, started_at
    )
    SELECT a.request_id,
           -- Another process that held the request meanwhile has used the number.
           CASE WHEN t.owner <> $1
                THEN a.number + 1000 + (SELECT max(n.number) FROM nexus.attempts AS n WHERE n.request_id = a.request_id)
                ELSE a.number END,
           a.provider, a.model, a.outcome, a.status_code, a.duration_ms,
           a.cost, a.error, a.maybe_paid, a.spared, a.dropped, a.first_text_ms, a.key_name, a.cost_basis,
           $1, a.started_at
    FROM told AS a
    LEFT JOIN nexus.attempts AS t
         ON t.request_id = a.request_id AND t.number = a.number
            AND t.request_id = ANY (ARRAY(SELECT request_id FROM held))
    WHERE (SELECT count FROM settled) >= 0
    ORDER BY a.request_id, a.number
    -- An attempt that was taken for interrupted, because its lease lapsed meanwhile, is told rightly now.
    ON CONFLICT (request_id, number) DO UPDATE SET
        provider = excluded.provider, model = excluded.model, outcome = excluded.outcome,
        status_code = excluded.status_code, duration_ms = excluded.duration_ms,
        cost = excluded.cost, error = excluded.error, maybe_paid = excluded.maybe_paid,
        spared = excluded.spared, dropped = excluded.dropped, first_text_ms = excluded.first_text_ms,
        key_name = excluded.key_name, cost_basis = excluded.cost_basis, started_at = excluded.started_at
    WHERE attempts.outcome = 'interrupted' AND attempts.provider IS NULL
)
-- An update fires no trigger of ours, and other processes may have room.
SELECT CASE WHEN EXISTS (SELECT FROM held WHERE lane IS NULL AND delay <= 0) AND pg_notification_queue_usage() < 0.5
            THEN pg_notify('{channel}', '') END
