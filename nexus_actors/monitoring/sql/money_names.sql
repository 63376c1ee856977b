-- Dollars and calls of the days (UTC) that begin at $1, by agent, by provider and by model: for each day and kind the $2 most expensive,
-- and the rest as '(others)'. The sums of days, plus those of minutes that are in no hour yet.
WITH counted AS MATERIALIZED (
    SELECT s.at AS day, s.agent_id, s.provider, s.model, s.cost, s.attempts, s.unknown_costs
    FROM nexus.sums AS s
    WHERE s.queue = '{requests}' AND s.span = 'day' AND s.at = ANY ($1::timestamptz[]) AND s.attempts > 0
    UNION ALL
    SELECT date_trunc('day', s.at, 'UTC'), s.agent_id, s.provider, s.model, s.cost, s.attempts, s.unknown_costs
    FROM nexus.sums_progress AS p
    JOIN nexus.sums AS s ON s.queue = p.queue AND s.span = 'minute' AND s.at >= p.hours_until AND s.at < p.minutes_until
    WHERE p.queue = '{requests}' AND s.attempts > 0 AND date_trunc('day', s.at, 'UTC') = ANY ($1::timestamptz[])
),
summed AS (
    SELECT c.day, CASE WHEN grouping(c.agent_id) = 0 THEN 'agent' WHEN grouping(c.model) = 0 THEN 'model' ELSE 'provider' END AS kind,
           coalesce(c.agent_id, c.model, c.provider) AS name, CASE WHEN grouping(c.model) = 0 THEN c.provider ELSE '' END AS provider,
           sum(c.cost) AS cost, sum(c.attempts) AS attempts, sum(c.unknown_costs) AS unknown_costs
    FROM counted AS c
    GROUP BY GROUPING SETS ((c.day, c.agent_id), (c.day, c.provider), (c.day, c.provider, c.model))
),
ranked AS (
    SELECT s.*, row_number() OVER (PARTITION BY s.day, s.kind ORDER BY s.cost DESC, s.unknown_costs DESC, s.provider, s.name) <= $2
               AS is_listed
    FROM summed AS s
)
SELECT r.day, r.kind, CASE WHEN r.is_listed THEN r.name ELSE '(others)' END AS name,
       CASE WHEN r.is_listed THEN r.provider ELSE '' END AS provider,
       sum(r.cost)::float8 AS dollars, sum(r.attempts)::bigint AS calls, sum(r.unknown_costs)::bigint AS unknown
FROM ranked AS r
GROUP BY 1, 2, 3, 4
