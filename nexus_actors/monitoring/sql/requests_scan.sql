-- The requests of a filter: counts for each value under all other filters, one page of requests, and how many rows were read.
--
-- $1 state, $2 agent_id, $3 task_type, $4 provider, $5 model, $6 error_type; $7 and $8: the earliest and latest end (null: now, and
-- requests that have not ended are included); $9: the least cost; each null: any. $10, $11: end and id of the last row of the previous page
-- (null: first page); $12: rows per page; $13: the most rows read of each kind.
--
-- Each kind is read from its own index, newest first, up to the bound. Everything else is derived from the rows read. Rows of other queues
-- count towards the bound but are not reported.
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
    -- Requests of all agents; of one agent; and only failed ones, if the filter asks for them.
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
    -- Few columns: there are tens of thousands of rows, and only a page of them is shown in full.
    SELECT l.source, l.request_id, s.state, l.lane, l.agent_id, l.task_type, s.provider, l.model, l.error_type, l.finished_at,
           l.queue = '{requests}' AND ($9::numeric IS NULL OR l.cost >= $9)
           -- If the filter asks for failed requests, they are read separately.
           AND NOT (l.source = 'ended' AND l.state = 'failed' AND $1::text IS NOT DISTINCT FROM 'failed' AND $2::text IS NULL) AS counts,
           -- Which filters exclude the row, as bits.
           CASE WHEN s.state <> $1::text THEN 1 ELSE 0 END
           + CASE WHEN l.agent_id IS DISTINCT FROM $2::text AND $2 IS NOT NULL THEN 2 ELSE 0 END
           + CASE WHEN l.task_type IS DISTINCT FROM $3::text AND $3 IS NOT NULL THEN 4 ELSE 0 END
           + CASE WHEN s.provider IS DISTINCT FROM $4::text AND $4 IS NOT NULL THEN 8 ELSE 0 END
           + CASE WHEN l.model IS DISTINCT FROM $5::text AND $5 IS NOT NULL THEN 16 ELSE 0 END
           + CASE WHEN l.error_type IS DISTINCT FROM $6::text AND $6 IS NOT NULL THEN 32 ELSE 0 END AS missed
    FROM (SELECT * FROM live UNION ALL SELECT * FROM ended) AS l
    -- A request given back until a certain time counts as waiting, as in nexus.waiting.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN l.state = 'queued' AND l.wait_until > statement_timestamp() THEN 'waiting' ELSE l.state END AS state,
               coalesce(l.provider, l.lane,
                        CASE WHEN l.state = 'queued' AND l.wait_reason IN ('circuit_open', 'throttled', 'no_key', 'rate_limit')
                             THEN substring(l.wait_detail FROM '^(?:every key of provider )?([^/:[:space:]]+)') END) AS provider
    ) AS s
),
-- All rows read, in a few groups. A row that only one filter excludes counts for that filter's own values.
grouped AS MATERIALIZED (
    SELECT j.source, j.counts, j.missed,
           CASE WHEN j.counts THEN
               CASE j.missed
                   WHEN 1 THEN j.state WHEN 2 THEN left(j.agent_id, 256) WHEN 4 THEN left(j.task_type, 256)
                   WHEN 8 THEN left(j.provider, 256) WHEN 16 THEN left(j.model, 256) WHEN 32 THEN left(j.error_type, 256) END
           END AS value,
           count(*) AS requests, min(j.finished_at) AS at
    FROM looked AS j
    GROUP BY 1, 2, 3, 4
),
matching AS MATERIALIZED (
    SELECT j.*, coalesce(j.finished_at, 'infinity') AS at FROM looked AS j WHERE j.counts AND j.missed = 0
),
counted AS (
    SELECT c.name, c.value, sum(c.requests) AS requests
    FROM (
        SELECT b.name, g.value, g.requests
        FROM grouped AS g
        JOIN (VALUES (1, 'state'), (2, 'agent'), (4, 'task'), (8, 'provider'), (16, 'model'), (32, 'error')) AS b (bit, name)
             ON b.bit = g.missed
        WHERE g.counts
        UNION ALL
        SELECT 'state', m.state, count(*) FROM matching AS m GROUP BY 2
        UNION ALL
        SELECT 'agent', left(m.agent_id, 256), count(*) FROM matching AS m GROUP BY 2
        UNION ALL
        SELECT 'task', left(m.task_type, 256), count(*) FROM matching AS m GROUP BY 2
        UNION ALL
        SELECT 'provider', left(m.provider, 256), count(*) FROM matching AS m GROUP BY 2
        UNION ALL
        SELECT 'model', left(m.model, 256), count(*) FROM matching AS m GROUP BY 2
        UNION ALL
        SELECT 'error', left(m.error_type, 256), count(*) FROM matching AS m GROUP BY 2
    ) AS c
    WHERE c.value IS NOT NULL
    GROUP BY c.name, c.value
)
SELECT 'source' AS kind, g.source AS name, NULL AS value, sum(g.requests)::bigint AS requests, min(g.at) AS at, NULL::jsonb AS request
FROM grouped AS g
GROUP BY g.source
UNION ALL
SELECT 'facet', f.name, f.value, f.requests::bigint, NULL, NULL
FROM (
    SELECT c.*, row_number() OVER (PARTITION BY c.name ORDER BY c.requests DESC, c.value) AS place
    FROM counted AS c
) AS f
WHERE f.place <= 20
UNION ALL
SELECT 'match', NULL, NULL, coalesce(sum(g.requests), 0)::bigint, min(g.at), NULL FROM grouped AS g WHERE g.counts AND g.missed = 0
UNION ALL
SELECT 'lane', NULL, NULL, count(*), NULL, NULL FROM matching AS m WHERE m.source = 'waiting' AND m.lane = $4::text
UNION ALL
SELECT 'request', NULL, p.request_id, p.place, p.finished_at,
       jsonb_build_object(
           'state', p.state, 'agent_id', left(p.agent_id, 256), 'task_type', left(p.task_type, 256), 'provider', left(p.provider, 256),
           'model', left(p.model, 256), 'error_type', left(p.error_type, 256), 'received_at', r.received_at, 'leased_at', r.leased_at,
           'cost', r.cost::text, 'attempts', r.attempts, 'latency_ms', r.latency_ms, 'wait_reason', left(r.wait_reason, 256))
FROM (
    SELECT o.*, row_number() OVER (ORDER BY o.at DESC, o.request_id DESC) AS place
    FROM (
        SELECT m.*
        FROM matching AS m
        WHERE $10::text IS NULL OR (m.at, m.request_id) < ($10::text::timestamptz, $11::text)
        ORDER BY m.at DESC, m.request_id DESC
        LIMIT $12
    ) AS o
) AS p
JOIN nexus.requests AS r ON r.request_id = p.request_id
