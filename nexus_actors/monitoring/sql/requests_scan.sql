-- The requests of a filter: how many there are of each value beside the other filters, a page of them, and what was looked at.
--
-- $1 state, $2 agent_id, $3 task_type, $4 provider, $5 model, $6 error_type, $7 from, $8 to (of the end; null: until now, and then what
-- has not ended is among them), $9 the least cost; each null: any. $10, $11: the end and the id of the last row of the page before (null:
-- the first page); $12: rows of a page; $13: rows that are looked at of each kind.
--
-- Each kind is read from an index of its own, the newest first, up to the bound; all else is told from what was read. Of other queues
-- nothing is told: what of them was read counts for the bound alone.
WITH live AS (
    (SELECT 'waiting' AS source, r.* FROM nexus.requests AS r
     WHERE r.state = 'waiting' AND r.queue = '{requests}' AND $8::timestamptz IS NULL
     ORDER BY r.lane, r.msg_id LIMIT $13)
    UNION ALL
    (SELECT 'queued', r.* FROM nexus.requests AS r
     WHERE r.state = 'queued' AND r.queue = '{requests}' AND $8::timestamptz IS NULL
     ORDER BY r.msg_id LIMIT $13)
    UNION ALL
    (SELECT 'leased', r.* FROM nexus.requests AS r
     WHERE r.state = 'leased' AND $8::timestamptz IS NULL
     ORDER BY r.owner, r.msg_id LIMIT $13)
),
ended AS (
    -- Of all agents; of one; and those that failed alone, where these are asked for.
    (SELECT 'ended' AS source, r.* FROM nexus.requests AS r
     WHERE $2::text IS NULL AND r.finished_at IS NOT NULL
           AND r.finished_at >= $7::timestamptz AND r.finished_at <= coalesce($8::timestamptz, 'infinity')
     ORDER BY r.finished_at DESC LIMIT $13)
    UNION ALL
    (SELECT 'ended', r.* FROM nexus.requests AS r
     WHERE left(r.agent_id, 255) = left($2::text, 255) AND r.finished_at IS NOT NULL
           AND r.finished_at >= $7::timestamptz AND r.finished_at <= coalesce($8::timestamptz, 'infinity')
     ORDER BY r.finished_at DESC LIMIT $13)
    UNION ALL
    (SELECT 'failed', r.* FROM nexus.requests AS r
     WHERE $2::text IS NULL AND $1::text = 'failed' AND r.state = 'failed' AND r.finished_at IS NOT NULL
           AND r.finished_at >= $7::timestamptz AND r.finished_at <= coalesce($8::timestamptz, 'infinity')
     ORDER BY r.finished_at DESC LIMIT $13)
),
looked AS MATERIALIZED (
    SELECT l.source, l.request_id, s.state, l.lane, left(l.agent_id, 256) AS agent_id, left(l.task_type, 256) AS task_type,
           left(s.provider, 256) AS provider, left(l.model, 256) AS model, left(l.error_type, 256) AS error_type,
           coalesce(l.finished_at, 'infinity') AS at, l.received_at, l.leased_at, l.finished_at, l.cost, l.attempts, l.latency_ms,
           l.wait_reason, f.missed,
           l.queue = '{requests}' AND ($9::numeric IS NULL OR l.cost >= $9)
           -- Those that failed are read by themselves, where they are asked for.
           AND NOT (l.source = 'ended' AND l.state = 'failed' AND $1::text IS NOT DISTINCT FROM 'failed' AND $2::text IS NULL) AS counts
    FROM (SELECT * FROM live UNION ALL SELECT * FROM ended) AS l
    -- What was given back until a moment waits, as nexus.waiting has it.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN l.state = 'queued' AND l.wait_until > clock_timestamp() THEN 'waiting' ELSE l.state END AS state,
               coalesce(l.provider, l.lane,
                        CASE WHEN l.state = 'queued' AND l.wait_reason IN ('circuit_open', 'throttled', 'no_key', 'rate_limit')
                             THEN substring(l.wait_detail FROM '^(?:every key of provider )?([^/:[:space:]]+)') END) AS provider
    ) AS s
    -- Which of the filters leave it out, as bits.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN s.state <> $1::text THEN 1 ELSE 0 END
               + CASE WHEN l.agent_id IS DISTINCT FROM $2::text AND $2 IS NOT NULL THEN 2 ELSE 0 END
               + CASE WHEN l.task_type IS DISTINCT FROM $3::text AND $3 IS NOT NULL THEN 4 ELSE 0 END
               + CASE WHEN s.provider IS DISTINCT FROM $4::text AND $4 IS NOT NULL THEN 8 ELSE 0 END
               + CASE WHEN l.model IS DISTINCT FROM $5::text AND $5 IS NOT NULL THEN 16 ELSE 0 END
               + CASE WHEN l.error_type IS DISTINCT FROM $6::text AND $6 IS NOT NULL THEN 32 ELSE 0 END AS missed
    ) AS f
),
counted AS (
    SELECT grouping(j.state, j.agent_id, j.task_type, j.provider, j.model, j.error_type) AS of,
           coalesce(j.state, j.agent_id, j.task_type, j.provider, j.model, j.error_type) AS value,
           count(*) FILTER (WHERE j.missed IN (0, 1)) AS states, count(*) FILTER (WHERE j.missed IN (0, 2)) AS agents,
           count(*) FILTER (WHERE j.missed IN (0, 4)) AS tasks, count(*) FILTER (WHERE j.missed IN (0, 8)) AS providers,
           count(*) FILTER (WHERE j.missed IN (0, 16)) AS models, count(*) FILTER (WHERE j.missed IN (0, 32)) AS errors
    FROM looked AS j
    WHERE j.counts
    GROUP BY GROUPING SETS ((j.state), (j.agent_id), (j.task_type), (j.provider), (j.model), (j.error_type))
)
SELECT 'source' AS kind, l.source AS name, NULL AS value, count(*) AS requests, min(l.finished_at) AS at, NULL::jsonb AS request
FROM looked AS l
GROUP BY l.source
UNION ALL
SELECT 'facet', f.name, f.value, f.requests, NULL, NULL
FROM (
    SELECT t.name, c.value, t.requests, row_number() OVER (PARTITION BY t.name ORDER BY t.requests DESC, c.value) AS place
    FROM counted AS c
    CROSS JOIN LATERAL (VALUES
        (31, 'state', c.states), (47, 'agent', c.agents), (55, 'task', c.tasks), (59, 'provider', c.providers), (61, 'model', c.models),
        (62, 'error', c.errors)) AS t (of, name, requests)
    WHERE t.of = c.of AND c.value IS NOT NULL AND t.requests > 0
) AS f
WHERE f.place <= 20
UNION ALL
SELECT 'match', NULL, NULL, count(*), min(j.finished_at), NULL FROM looked AS j WHERE j.counts AND j.missed = 0
UNION ALL
SELECT 'lane', NULL, NULL, count(*), NULL, NULL
FROM looked AS j
WHERE j.counts AND j.missed = 0 AND j.source = 'waiting' AND j.lane = $4::text
UNION ALL
SELECT 'request', NULL, p.request_id, 1, p.finished_at,
       jsonb_build_object(
           'state', p.state, 'agent_id', p.agent_id, 'task_type', p.task_type, 'provider', p.provider, 'model', p.model,
           'error_type', p.error_type, 'received_at', p.received_at, 'leased_at', p.leased_at, 'cost', p.cost::text, 'attempts', p.attempts,
           'latency_ms', p.latency_ms, 'wait_reason', left(p.wait_reason, 256))
FROM (
    SELECT *
    FROM looked AS j
    WHERE j.counts AND j.missed = 0 AND ($10::text IS NULL OR (j.at, j.request_id) < ($10::text::timestamptz, $11::text))
    ORDER BY j.at DESC, j.request_id DESC
    LIMIT $12
) AS p
