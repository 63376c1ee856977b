-- The same as money_names.sql for requests that ended after the end of the sums and not before $1: the newest $2 requests, by the index.
WITH ended AS MATERIALIZED (
    SELECT r.request_id, r.queue, r.agent_id, r.finished_at
    FROM nexus.requests AS r
    WHERE r.finished_at >= greatest((SELECT p.minutes_until FROM nexus.sums_progress AS p WHERE p.queue = '{requests}'), $1::timestamptz)
    ORDER BY r.finished_at DESC
    LIMIT $2::bigint
),
calls AS MATERIALIZED (
    SELECT a.request_id, left(coalesce(a.provider, ''), 255) AS provider, left(coalesce(a.model, ''), 255) AS model, a.cost,
           a.cost IS NULL AND (a.outcome = 'ok' OR a.maybe_paid) AS is_unknown
    FROM nexus.attempts AS a
    WHERE a.request_id = ANY (ARRAY(SELECT e.request_id FROM ended AS e WHERE e.queue = '{requests}'))
),
counted AS (
    SELECT date_trunc('day', e.finished_at, 'UTC') AS day, left(coalesce(e.agent_id, ''), 255) AS agent_id, c.provider, c.model, c.cost,
           c.is_unknown
    FROM calls AS c
    JOIN ended AS e ON e.request_id = c.request_id
)
SELECT c.day, CASE WHEN grouping(c.agent_id) = 0 THEN 'agent' WHEN grouping(c.model) = 0 THEN 'model' ELSE 'provider' END AS kind,
       coalesce(c.agent_id, c.model, c.provider) AS name, CASE WHEN grouping(c.model) = 0 THEN c.provider ELSE '' END AS provider,
       coalesce(sum(c.cost), 0)::float8 AS dollars, count(*) AS calls, count(*) FILTER (WHERE c.is_unknown) AS unknown
FROM counted AS c
GROUP BY GROUPING SETS ((c.day, c.agent_id), (c.day, c.provider), (c.day, c.provider, c.model))
