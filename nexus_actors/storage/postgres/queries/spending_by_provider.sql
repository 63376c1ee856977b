-- Dollars by provider for attempts that began within the last hour, and since midnight (UTC), of requests that have
-- ended. The attempts are looked up by request, so that earlier ones are not read.
WITH since AS MATERIALIZED (
    SELECT now() - interval '1 hour' AS hour, date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS day
)
SELECT a.provider,
       coalesce(sum(a.cost) FILTER (WHERE a.started_at >= s.hour), 0)::float8 AS hour,
       coalesce(sum(a.cost) FILTER (WHERE a.started_at >= s.day), 0)::float8 AS day
FROM since AS s
CROSS JOIN LATERAL (
    SELECT r.request_id FROM nexus.requests AS r WHERE r.finished_at >= least(s.hour, s.day) OFFSET 0
) AS r
CROSS JOIN LATERAL (
    SELECT t.provider, t.cost, t.started_at FROM nexus.attempts AS t WHERE t.request_id = r.request_id AND t.cost > 0 OFFSET 0
) AS a
WHERE a.provider IS NOT NULL
GROUP BY a.provider
