-- Dollars and calls of each day (UTC) from $1 on: the sums of days, plus those minutes that are in no hour yet.
SELECT date_trunc('day', t.at, 'UTC') AS day, sum(t.cost)::float8 AS dollars, sum(t.attempts)::bigint AS calls,
       sum(t.unknown_costs)::bigint AS unknown
FROM (
    SELECT s.at, s.cost, s.attempts, s.unknown_costs
    FROM nexus.totals AS s
    WHERE s.queue = '{requests}' AND s.span = 'day' AND s.at >= $1
    UNION ALL
    SELECT s.at, s.cost, s.attempts, s.unknown_costs
    FROM nexus.sums_progress AS p
    JOIN nexus.totals AS s ON s.queue = p.queue AND s.span = 'minute' AND s.at >= greatest(p.hours_until, $1) AND s.at < p.minutes_until
    WHERE p.queue = '{requests}'
) AS t
GROUP BY 1
ORDER BY 1
