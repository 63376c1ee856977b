-- What is locked for money is locked in one order: journal rows, then spending. Today `record_late` goes to and fro between them.

-- Record attempts (JSON) that instance `who` made for requests that another one has ended, or holds by now. An attempt that was
-- taken for interrupted is told rightly; one whose number is another's gets the next that is free, far above those that who
-- holds the request may use. Safe to repeat: an attempt is known by who began it when.
-- Locks: journal rows in order of request_id, then spending by budget and period; all of them first.
CREATE OR REPLACE FUNCTION nexus.record_late(who text, of_queue text, told json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    a record;
    held nexus.requests;
    place integer;
    counted integer := 0;
BEGIN
    PERFORM FROM nexus.requests AS r
    WHERE r.queue = of_queue
          AND (r.request_id, r.msg_id) IN (
              SELECT t.request_id, t.msg_id FROM json_to_recordset(told) AS t (request_id text, msg_id bigint))
    ORDER BY r.request_id
    FOR UPDATE;

    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT m.budget, m.period
        FROM nexus.reservations AS m
        JOIN json_to_recordset(told) AS t (request_id text) ON t.request_id = m.request_id
        UNION ALL
        SELECT m.budget, m.period
        FROM nexus.assumed_costs AS m
        JOIN json_to_recordset(told) AS t (request_id text) ON t.request_id = m.request_id)
    ORDER BY s.budget, s.period
    FOR UPDATE;

    FOR a IN
        SELECT *, concat_ws('; ', 'answered too late: another process answered', t.error) AS remark
        FROM json_to_recordset(told) AS t (
            request_id text, msg_id bigint, number integer, provider text, model text, outcome text,
            status_code integer, duration_ms bigint, cost numeric, error text, maybe_paid boolean,
            spared boolean, dropped text[], first_text_ms integer, key_name text, cost_basis text,
            started_at timestamptz)
        ORDER BY t.request_id, t.number
    LOOP
        SELECT * INTO held FROM nexus.requests AS r
        WHERE r.request_id = a.request_id AND r.queue = of_queue AND r.msg_id = a.msg_id;
        CONTINUE WHEN NOT FOUND OR EXISTS (
            SELECT FROM nexus.attempts AS t
            WHERE t.request_id = a.request_id AND t.owner = who AND t.started_at = a.started_at
                  AND t.provider IS NOT NULL);
        counted := counted + 1;
        UPDATE nexus.attempts AS t
        SET provider = a.provider, model = a.model, outcome = a.outcome, status_code = a.status_code,
            duration_ms = a.duration_ms, cost = a.cost, error = a.remark, maybe_paid = a.maybe_paid,
            spared = a.spared, dropped = a.dropped, first_text_ms = a.first_text_ms, key_name = a.key_name,
            cost_basis = a.cost_basis, started_at = a.started_at
        WHERE t.request_id = a.request_id AND t.number = a.number AND t.owner = who
              AND t.outcome = 'interrupted' AND t.provider IS NULL;
        CONTINUE WHEN FOUND;
        SELECT greatest(held.attempts, max(t.number)) + CASE WHEN held.finished_at IS NULL THEN 1001 ELSE 1 END
        INTO place FROM nexus.attempts AS t WHERE t.request_id = a.request_id;
        INSERT INTO nexus.attempts (
            request_id, number, provider, model, outcome, status_code, duration_ms, cost, error, maybe_paid,
            spared, dropped, first_text_ms, key_name, cost_basis, owner, started_at)
        VALUES (a.request_id, place, a.provider, a.model, a.outcome, a.status_code, a.duration_ms, a.cost, a.remark,
                a.maybe_paid, a.spared, a.dropped, a.first_text_ms, a.key_name, a.cost_basis, who, a.started_at);
        PERFORM nexus.correct_spending(
            a.request_id, a.number, who, a.cost, a.outcome = 'ok' OR a.maybe_paid);
        UPDATE nexus.requests AS r SET attempts = place
        WHERE r.request_id = a.request_id AND r.finished_at IS NOT NULL;
    END LOOP;
    RETURN counted;
END;
$$;
