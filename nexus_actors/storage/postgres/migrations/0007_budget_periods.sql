-- Two mends of 0004. `reserve` locked the rows of all days a budget ever had; now it locks today's. And a process
-- that was killed in its third call of a lease left the third reservation standing, since its lease is told of as
-- one attempt: that one now settles what was reserved for those after it too.

CREATE OR REPLACE FUNCTION nexus.reserve(
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
    WHERE (s.budget, s.period) IN (
        SELECT name, date_trunc(span, now() AT TIME ZONE 'UTC')::date
        FROM unnest(names, spans) AS b (name, span)
        UNION ALL
        SELECT r.budget, r.period FROM nexus.reservations AS r
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

CREATE OR REPLACE FUNCTION nexus.settle_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT r.budget, r.period
        FROM nexus.reservations AS r
        JOIN recorded AS a ON a.request_id = r.request_id
             AND (a.number = r.number OR a.number < r.number AND a.outcome = 'interrupted'))
    ORDER BY s.budget, s.period
    FOR UPDATE;

    WITH gone AS (
        DELETE FROM nexus.reservations AS r
        USING recorded AS a
        WHERE a.request_id = r.request_id
              AND (a.number = r.number OR a.number < r.number AND a.outcome = 'interrupted')
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
