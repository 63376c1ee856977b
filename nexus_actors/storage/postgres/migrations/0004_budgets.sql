-- What may be spent in a day or a month. A call's likely cost is reserved before it is made and settled in the very
-- statement that records its attempt, so that no number of calls at once, and no kill, spends more than is allowed.

CREATE TABLE nexus.spending (
    budget   text NOT NULL,
    period   date NOT NULL,
    reserved numeric NOT NULL DEFAULT 0,
    spent    numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (budget, period)
);

COMMENT ON TABLE nexus.spending IS 'One row for each budget and each of its days or months.';
COMMENT ON COLUMN nexus.spending.budget IS 'The budget''s name in the config.';
COMMENT ON COLUMN nexus.spending.period IS 'The day, or the first day of the month, in UTC.';
COMMENT ON COLUMN nexus.spending.reserved IS 'US dollars that calls under way may cost.';
COMMENT ON COLUMN nexus.spending.spent IS 'US dollars that calls have cost; of those whose cost is unknown, what was reserved.';

CREATE TABLE nexus.reservations (
    request_id text NOT NULL,
    number     integer NOT NULL,
    budget     text NOT NULL,
    period     date NOT NULL,
    dollars    numeric NOT NULL,
    PRIMARY KEY (request_id, number, budget)
);

COMMENT ON TABLE nexus.reservations IS 'What each attempt under way has reserved of each budget.';
COMMENT ON COLUMN nexus.reservations.request_id IS 'The request.';
COMMENT ON COLUMN nexus.reservations.number IS 'The number its attempt will have.';
COMMENT ON COLUMN nexus.reservations.budget IS 'The budget.';
COMMENT ON COLUMN nexus.reservations.period IS 'Its day or month.';
COMMENT ON COLUMN nexus.reservations.dollars IS 'US dollars.';

-- Reserve `amount` for an attempt of each of the budgets, all or none; the first that has not so much left, or null.
-- An attempt that was begun and never made may have reserved before: that is given back first.
CREATE FUNCTION nexus.reserve(
    request text, attempt integer, amount numeric, names text[], spans text[], limits numeric[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    poor text;
BEGIN
    INSERT INTO nexus.spending (budget, period)
    SELECT name, date_trunc(span, now() AT TIME ZONE 'UTC')::date
    FROM unnest(names, spans) AS b (name, span)
    ORDER BY name
    ON CONFLICT DO NOTHING;

    PERFORM FROM nexus.spending AS s
    WHERE s.budget = ANY (names)
          OR s.budget IN (SELECT r.budget FROM nexus.reservations AS r
                          WHERE r.request_id = request AND r.number = attempt)
    ORDER BY s.budget, s.period
    FOR UPDATE;

    WITH gone AS (
        DELETE FROM nexus.reservations AS r
        WHERE r.request_id = request AND r.number = attempt
        RETURNING r.budget, r.period, r.dollars
    )
    UPDATE nexus.spending AS s SET reserved = greatest(s.reserved - g.dollars, 0)
    FROM gone AS g
    WHERE s.budget = g.budget AND s.period = g.period;

    SELECT b.name INTO poor
    FROM unnest(names, spans, limits) AS b (name, span, ceiling)
    JOIN nexus.spending AS s
      ON s.budget = b.name AND s.period = date_trunc(b.span, now() AT TIME ZONE 'UTC')::date
    WHERE s.spent + s.reserved + amount > b.ceiling
    ORDER BY b.name
    LIMIT 1;
    IF poor IS NOT NULL THEN
        RETURN poor;
    END IF;

    WITH taken AS (
        UPDATE nexus.spending AS s SET reserved = s.reserved + amount
        FROM unnest(names, spans) AS b (name, span)
        WHERE s.budget = b.name
              AND s.period = date_trunc(b.span, now() AT TIME ZONE 'UTC')::date
        RETURNING s.budget, s.period
    )
    INSERT INTO nexus.reservations (request_id, number, budget, period, dollars)
    SELECT request, attempt, budget, period, amount FROM taken;
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION nexus.reserve(text, integer, numeric, text[], text[], numeric[]) IS
    'Reserves of budgets for one attempt, all or none; the name of one that has too little left, or null.';

-- An attempt that is recorded settles what it reserved. Without a known cost, one that was answered or may have been paid
-- counts as what was reserved.
CREATE FUNCTION nexus.settle_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT r.budget, r.period
        FROM nexus.reservations AS r
        JOIN recorded AS a ON a.request_id = r.request_id AND a.number = r.number)
    ORDER BY s.budget, s.period
    FOR UPDATE;

    WITH gone AS (
        DELETE FROM nexus.reservations AS r
        USING recorded AS a
        WHERE a.request_id = r.request_id AND a.number = r.number
        RETURNING r.budget, r.period, r.dollars,
                  coalesce(a.cost, CASE WHEN a.outcome = 'ok' OR a.maybe_paid THEN r.dollars ELSE 0 END) AS cost
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

COMMENT ON FUNCTION nexus.settle_attempts() IS 'Statement-level trigger of nexus.attempts: settles reservations.';

CREATE TRIGGER settle AFTER INSERT ON nexus.attempts
REFERENCING NEW TABLE AS recorded FOR EACH STATEMENT EXECUTE FUNCTION nexus.settle_attempts();
