-- Requests of the queue $1 that ended after the end of its sums and not before $2: the newest $3, by the index. `is_cut`: there are more.
WITH ended AS MATERIALIZED (
    SELECT r.request_id, r.queue, r.state, r.error_type
    FROM nexus.requests AS r
    WHERE r.finished_at >= greatest((SELECT p.minutes_until FROM nexus.sums_progress AS p WHERE p.queue = $1), $2::timestamptz)
    ORDER BY r.finished_at DESC
    LIMIT $3::bigint
),
mine AS MATERIALIZED (SELECT e.* FROM ended AS e WHERE e.queue = $1),
calls AS (
    SELECT a.cost, a.cost IS NULL AND (a.outcome = 'ok' OR a.maybe_paid) AS is_unknown
    FROM nexus.attempts AS a
    WHERE a.request_id = ANY (ARRAY(SELECT m.request_id FROM mine AS m))
)
SELECT count(*) AS requests, count(*) FILTER (WHERE m.state = 'failed' AND m.error_type IS DISTINCT FROM 'cancelled') AS failed,
       (SELECT coalesce(sum(c.cost), 0)::float8 FROM calls AS c) AS cost,
       (SELECT count(*) FROM calls AS c WHERE c.is_unknown) AS unknown_costs,
       (SELECT count(*) FROM ended) >= $3::bigint AS is_cut
FROM mine AS m
