-- As in 0019, but for a look whether there is anything to settle: most attempts reserved nothing, and a lease or an end that
-- records none fires this trigger, too.
CREATE OR REPLACE FUNCTION nexus.settle_attempts() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = on AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM nexus.reservations) AND NOT EXISTS (SELECT FROM nexus.assumed_costs) THEN
        RETURN NULL;
    END IF;

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
