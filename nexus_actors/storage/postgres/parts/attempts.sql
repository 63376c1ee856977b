-- Part of the statements that end or return the requests `owned` (request_id, msg_id): instance $1 reports their
-- attempts in $3 (JSON). Lock everything that the attempts settle or correct, in one order, before any change: the
-- triggers lock row by row.
money AS MATERIALIZED (
    SELECT s.budget
    FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT m.budget, m.period FROM nexus.reservations AS m
        WHERE m.request_id = ANY (ARRAY(SELECT request_id FROM owned))
        UNION ALL
        SELECT m.budget, m.period FROM nexus.assumed_costs AS m
        WHERE m.request_id = ANY (ARRAY(SELECT request_id FROM owned)))
    ORDER BY s.budget, s.period
    FOR UPDATE OF s
),
reported AS MATERIALIZED (
    SELECT a.*
    FROM json_to_recordset($3::json) AS a (
        request_id text, msg_id bigint, number integer, provider text, model text, outcome text,
        status_code integer, duration_ms bigint, cost numeric, error text, maybe_paid boolean,
        spared boolean, dropped text[], first_text_ms integer, key_name text, cost_basis text,
        started_at timestamptz
    )
    JOIN owned AS o ON o.request_id = a.request_id AND a.msg_id = o.msg_id
),
-- What this instance has reserved for them, or is assumed to have spent. Reservations for calls that were never made
-- are returned.
settled AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT m.request_id, m.number, true AS reserved
          FROM nexus.reservations AS m
          WHERE m.owner = $1 AND m.request_id = ANY (ARRAY(SELECT request_id FROM owned))
          UNION
          SELECT m.request_id, m.number, false
          FROM nexus.assumed_costs AS m
          WHERE m.owner = $1 AND m.request_id = ANY (ARRAY(SELECT request_id FROM owned))) AS m
    LEFT JOIN reported AS t ON t.request_id = m.request_id AND t.number = m.number
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
    FROM reported AS a
    LEFT JOIN nexus.attempts AS t
         ON t.request_id = a.request_id AND t.number = a.number
            AND t.request_id = ANY (ARRAY(SELECT request_id FROM owned))
    WHERE (SELECT count FROM settled) >= 0
    ORDER BY a.request_id, a.number
    -- Correct an attempt that was assumed to be interrupted because its lease had lapsed.
    ON CONFLICT (request_id, number) DO UPDATE SET
        provider = excluded.provider, model = excluded.model, outcome = excluded.outcome,
        status_code = excluded.status_code, duration_ms = excluded.duration_ms,
        cost = excluded.cost, error = excluded.error, maybe_paid = excluded.maybe_paid,
        spared = excluded.spared, dropped = excluded.dropped, first_text_ms = excluded.first_text_ms,
        key_name = excluded.key_name, cost_basis = excluded.cost_basis, started_at = excluded.started_at
    WHERE attempts.outcome = 'interrupted' AND attempts.provider IS NULL
)
