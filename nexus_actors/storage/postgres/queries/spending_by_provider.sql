-- Dollars that attempts have cost since an hour ago, and since the day began (UTC), by provider: those of requests that have ended
-- since. Each request's attempts are looked up, so that none is read of earlier ones.
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
