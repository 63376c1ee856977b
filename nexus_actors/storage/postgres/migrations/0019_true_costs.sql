-- What an attempt has cost is put right whenever it becomes known. A reservation knows its owner: who lost a lease without knowing
-- reserves under numbers that another one uses, too.

ALTER TABLE nexus.reservations ADD COLUMN owner text NOT NULL DEFAULT '';
COMMENT ON COLUMN nexus.reservations.owner IS 'The service instance that reserved; empty where it does not tell.';
ALTER TABLE nexus.reservations DROP CONSTRAINT reservations_pkey;
ALTER TABLE nexus.reservations ADD PRIMARY KEY (request_id, number, owner, budget);

COMMENT ON TABLE nexus.assumed_costs IS
    'What attempts of unknown cost are taken to have cost, until it is told: interrupted ones, and answers without a price.';

-- Reserve `amount` for an attempt of instance `who` of each of the budgets, all or none; the first that has not so much left, or
-- null. An attempt that was begun and never made may have reserved before: that is given back first.
CREATE FUNCTION nexus.reserve(
    who text, request text, attempt integer, amount numeric, names text[], spans text[], limits numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    poor text;
    today CONSTANT timestamp := now() AT TIME ZONE 'UTC';
BEGIN
    -- A call of an earlier lease, of which nothing is known, had the number: its note is another's than this call's.
    WITH gone AS (
        DELETE FROM nexus.assumed_costs AS a
        WHERE a.request_id = request AND a.number = attempt AND a.owner = who
        RETURNING a.budget, a.period, a.dollars
    )
    INSERT INTO nexus.assumed_costs (request_id, number, owner, budget, period, dollars)
    SELECT request, g.place, who, gone.budget, gone.period, gone.dollars
    FROM gone, LATERAL (
        SELECT 1000 + max(a.number) AS place FROM nexus.assumed_costs AS a WHERE a.request_id = request) AS g;

    INSERT INTO nexus.spending (budget, period)
    SELECT name, date_trunc(span, today)::date
    FROM unnest(names, spans) AS b (name, span)
    ORDER BY name
    ON CONFLICT DO NOTHING;

    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT name, date_trunc(span, today)::date
        FROM unnest(names, spans) AS b (name, span)
        UNION ALL
        SELECT r.budget, r.period FROM nexus.reservations AS r
        WHERE r.request_id = request AND r.number = attempt AND r.owner = who)
    ORDER BY s.budget, s.period
    FOR UPDATE;

    WITH gone AS (
        DELETE FROM nexus.reservations AS r
        WHERE r.request_id = request AND r.number = attempt AND r.owner = who
        RETURNING r.budget, r.period, r.dollars
    )
    UPDATE nexus.spending AS s SET reserved = greatest(s.reserved - g.dollars, 0)
    FROM gone AS g
    WHERE s.budget = g.budget AND s.period = g.period;

    SELECT b.name INTO poor
    FROM unnest(names, spans, limits) AS b (name, span, ceiling)
    JOIN nexus.spending AS s ON s.budget = b.name AND s.period = date_trunc(b.span, today)::date
    WHERE s.spent + s.reserved + amount > b.ceiling
    ORDER BY b.name
    LIMIT 1;
    IF poor IS NOT NULL THEN
        RETURN poor;
    END IF;

    WITH taken AS (
        UPDATE nexus.spending AS s SET reserved = s.reserved + amount
        FROM unnest(names, spans) AS b (name, span)
        WHERE s.budget = b.name AND s.period = date_trunc(b.span, today)::date
        RETURNING s.budget, s.period
    )
    INSERT INTO nexus.reservations (request_id, number, owner, budget, period, dollars)
    SELECT request, attempt, who, budget, period, amount FROM taken;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION nexus.reserve(text, text, integer, numeric, text[], text[], numeric[]) IS
    'Reserves of budgets for one attempt, all or none; the name of one that has too little left, or null.';

-- For processes of an earlier release.
CREATE OR REPLACE FUNCTION nexus.reserve(
    request text, attempt integer, amount numeric, names text[], spans text[], limits numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN nexus.reserve('', request, attempt, amount, names, spans, limits);
END;
$$;

-- An attempt that is told settles what was reserved for it, by whom it was made. Without a known cost, one that was answered or may
-- have been paid counts as what was reserved, until its cost is told.
CREATE OR REPLACE FUNCTION nexus.correct_spending(
    request text, attempt integer, who text, actual numeric, was_paid boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT a.budget, a.period FROM nexus.assumed_costs AS a
        WHERE a.request_id = request AND a.number = attempt AND a.owner = who
        UNION ALL
        SELECT r.budget, r.period FROM nexus.reservations AS r
        WHERE r.request_id = request AND r.number = attempt AND r.owner = who)
    ORDER BY s.budget, s.period
    FOR UPDATE;

    WITH gone AS (
        DELETE FROM nexus.reservations AS r
        WHERE r.request_id = request AND r.number = attempt AND r.owner = who
        RETURNING r.budget, r.period, r.dollars
    ),
    noted AS (
        INSERT INTO nexus.assumed_costs (request_id, number, owner, budget, period, dollars)
        SELECT request, attempt, who, budget, period, dollars FROM gone
        ON CONFLICT DO NOTHING
    )
    UPDATE nexus.spending AS s
    SET reserved = greatest(s.reserved - g.dollars, 0), spent = s.spent + g.dollars
    FROM gone AS g
    WHERE s.budget = g.budget AND s.period = g.period;

    IF actual IS NULL AND was_paid THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM nexus.assumed_costs AS a
        WHERE a.request_id = request AND a.number = attempt AND a.owner = who
        RETURNING a.budget, a.period, a.dollars
    )
    UPDATE nexus.spending AS s
    SET spent = greatest(s.spent - g.dollars + coalesce(actual, 0), 0)
    FROM gone AS g
    WHERE s.budget = g.budget AND s.period = g.period;
END;
$$;

COMMENT ON FUNCTION nexus.correct_spending(text, integer, text, numeric, boolean) IS
    'Puts what an attempt has cost in the place of what was reserved for it, or of what it was taken to have cost.';

CREATE OR REPLACE FUNCTION nexus.correct_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nexus.correct_spending(
        NEW.request_id, NEW.number, NEW.owner, NEW.cost, NEW.outcome = 'ok' OR NEW.maybe_paid);
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION nexus.correct_attempt() IS 'Trigger of nexus.attempts: an attempt is told rightly.';

DROP TRIGGER correct ON nexus.attempts;
CREATE TRIGGER correct AFTER UPDATE ON nexus.attempts FOR EACH ROW
WHEN ((OLD.outcome, OLD.cost, OLD.maybe_paid) IS DISTINCT FROM (NEW.outcome, NEW.cost, NEW.maybe_paid))
EXECUTE FUNCTION nexus.correct_attempt();

-- Three kinds of reservations come to an end with recorded attempts: their own; those for later calls of a lease that ended
-- without a word, which is told of as one attempt; and those of a process that had lost the request and called all the same: it may
-- tell yet what that has cost.
CREATE OR REPLACE FUNCTION nexus.settle_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT r.budget, r.period
        FROM nexus.reservations AS r
        JOIN recorded AS a ON a.request_id = r.request_id
        UNION ALL
        SELECT m.budget, m.period
        FROM nexus.assumed_costs AS m
        JOIN recorded AS a ON a.request_id = m.request_id)
    ORDER BY s.budget, s.period
    FOR UPDATE;

    -- Taken to have been made under a lease that ended without a word; now each is told.
    PERFORM nexus.correct_spending(a.request_id, a.number, a.owner, a.cost, a.outcome = 'ok' OR a.maybe_paid)
    FROM recorded AS a
    JOIN nexus.assumed_costs AS m ON m.request_id = a.request_id AND m.number = a.number AND m.owner = a.owner;

    WITH ending AS (
        SELECT DISTINCT ON (r.request_id, r.number, r.owner, r.budget)
               r.request_id, r.number, r.owner, r.budget, a.owner AS teller,
               CASE WHEN b.told THEN a.cost END AS cost,
               CASE WHEN b.told THEN a.outcome = 'ok' OR a.maybe_paid ELSE true END AS paid, b.told
        FROM nexus.reservations AS r
        JOIN recorded AS a ON a.request_id = r.request_id
        LEFT JOIN nexus.requests AS q ON q.request_id = a.request_id
        CROSS JOIN LATERAL (
            -- Who had lost the request is on record as interrupted.
            SELECT r.number = a.number
                   AND (r.owner IN (a.owner, '')
                        OR NOT EXISTS (SELECT FROM nexus.attempts AS t
                                       WHERE t.request_id = r.request_id AND t.owner = r.owner)) AS told
        ) AS b
        WHERE b.told
              OR r.owner IN (a.owner, '') AND r.number > a.number AND a.outcome = 'interrupted'
              OR r.owner NOT IN (a.owner, '') AND a.owner = q.owner
        ORDER BY r.request_id, r.number, r.owner, r.budget, b.told DESC
    ),
    gone AS (
        DELETE FROM nexus.reservations AS r
        USING ending AS e
        WHERE r.request_id = e.request_id AND r.number = e.number AND r.owner = e.owner AND r.budget = e.budget
        RETURNING r.request_id, r.number, r.budget, r.period, r.dollars,
                  CASE WHEN e.told OR r.owner = '' THEN e.teller ELSE r.owner END AS owner,
                  e.cost IS NULL AND e.paid AS assumed,
                  coalesce(e.cost, CASE WHEN e.paid THEN r.dollars ELSE 0 END) AS cost
    ),
    noted AS (
        INSERT INTO nexus.assumed_costs (request_id, number, owner, budget, period, dollars)
        SELECT request_id, number, owner, budget, period, cost FROM gone WHERE assumed
        ON CONFLICT DO NOTHING
    ),
    total AS (
        SELECT budget, period, sum(dollars) AS dollars, sum(cost) AS cost FROM gone GROUP BY budget, period
    )
    UPDATE nexus.spending AS s
    SET reserved = greatest(s.reserved - t.dollars, 0), spent = s.spent + t.cost
    FROM total AS t
    WHERE s.budget = t.budget AND s.period = t.period;
    RETURN NULL;
END;
$$;

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

    -- By the numbers that they had for who made them, before any takes another's.
    PERFORM nexus.correct_spending(
        t.request_id, t.number, who, t.cost, t.outcome = 'ok' OR coalesce(t.maybe_paid, false))
    FROM json_to_recordset(told) AS t (
        request_id text, msg_id bigint, number integer, outcome text, cost numeric, maybe_paid boolean)
    JOIN nexus.requests AS r ON r.request_id = t.request_id AND r.queue = of_queue AND r.msg_id = t.msg_id;

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
        UPDATE nexus.requests AS r SET attempts = place
        WHERE r.request_id = a.request_id AND r.finished_at IS NOT NULL;
    END LOOP;
    RETURN counted;
END;
$$;
