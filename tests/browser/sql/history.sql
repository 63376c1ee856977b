-- Requests that ended, with their attempts and messages: seed.rows of them over the last seed.seconds, more by day than by night.
-- Every draw is a hash of the row's number and seed.seed, so the same seed gives the same rows, however they are read.
-- Triggers and foreign keys are off: they would look up ten million rows one by one.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;

CREATE FUNCTION pg_temp.draw(n bigint, which bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashint8extended(n, which) & 1073741823) / 1073741824.0::double precision
$$;

CREATE UNLOGGED TABLE nexus.seeded AS
WITH wish AS (
    SELECT current_setting('seed.rows')::bigint AS rows, current_setting('seed.seconds')::float8 AS seconds,
           current_setting('seed.failed')::float8 AS failed, 8 * current_setting('seed.seed')::bigint AS seed,
           current_setting('seed.agents')::int AS agents, current_setting('seed.node') AS node
),
drawn AS (
    SELECT n, w.*, pg_temp.draw(n, w.seed) AS a, pg_temp.draw(n, w.seed + 1) AS b, pg_temp.draw(n, w.seed + 2) AS c,
           pg_temp.draw(n, w.seed + 3) AS d, pg_temp.draw(n, w.seed + 4) AS e, pg_temp.draw(n, w.seed + 5) AS f,
           -- Seconds ago.
           w.seconds * (w.rows - n + 1) / w.rows AS evenly
    FROM wish AS w, generate_series(1, w.rows) AS n
),
shaped AS (
    -- A wave of a day, with its height now.
    SELECT n, node, b, c, d, e, f, a < failed AS failed, a < failed * 0.3 AS refused, seed,
           date_trunc('milliseconds', now()) - make_interval(
               secs => evenly - 8000 * sin(evenly / 13750.987) + 600 * pg_temp.draw(n, seed + 7) + 1) AS finished_at,
           (agents * power(b, 3))::int AS agent,
           CASE WHEN c < 0.55 THEN 'simple' WHEN c < 0.85 THEN 'medium' ELSE 'complex' END AS complexity,
           (ARRAY['coder', 'architect', 'research', 'summary', 'classify', NULL])[1 + (d * 6)::int % 6] AS task_type,
           CASE WHEN c < 0.30 THEN 1 WHEN c < 0.55 THEN 2 WHEN c < 0.72 THEN 3 WHEN c < 0.85 THEN 4 ELSE 5 END AS model,
           -- About log-normal: the product of draws.
           round(120 * exp(3.4 * e + 1.2 * f) * CASE WHEN c < 0.55 THEN 1 ELSE 3 END)::bigint AS latency_ms,
           (60 + 4000 * d * d)::bigint AS prompt_tokens, (20 + 900 * e * f)::bigint AS completion_tokens
    FROM drawn
)
SELECT s.*, current_setting('seed.prefix') || to_hex(hashint8extended(n, seed + 6)) AS request_id,
       'agent-' || lpad(agent::text, 2, '0') AS agent_id,
       (ARRAY['groq', 'gemini', 'openai', 'anthropic', 'anthropic'])[model] AS provider,
       (ARRAY['openai/gpt-oss-120b', 'gemini-3-flash', 'gpt-5-mini', 'claude-haiku-5', 'claude-sonnet-5-5'])[model] AS model_name,
       (ARRAY[0.15, 0.30, 0.40, 1.00, 3.00])[model] * (prompt_tokens + 4 * completion_tokens) / 1000000 AS dollars,
       CASE WHEN refused THEN (ARRAY['invalid_request', 'missing_fields'])[1 + (e * 2)::int % 2]
            WHEN failed THEN (ARRAY['provider_error', 'timeout', 'rate_limited', 'connection_failed', 'content_filtered',
                                    'quota_exceeded'])[1 + (6 * e * e)::int % 6]
       END AS error_type,
       CASE WHEN refused THEN 0 WHEN failed THEN 3 WHEN f > 0.93 THEN 2 ELSE 1 END AS calls
FROM shaped AS s;

ANALYZE nexus.seeded;

INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at, first_leased_at, finished_at, agent_id,
    complexity, task_type, provider, model, prompt_tokens, completion_tokens, cost, cost_basis, latency_ms, error_type, response_id, steps)
SELECT request_id, 'ai_requests', 1000000000 + n, 1, node, CASE WHEN failed THEN 'failed' ELSE 'done' END, md5(request_id), calls,
       finished_at - make_interval(secs => latency_ms / 1000.0 + 2 * b), finished_at - make_interval(secs => latency_ms / 1000.0),
       finished_at - make_interval(secs => latency_ms / 1000.0), finished_at, agent_id, complexity, task_type,
       CASE WHEN NOT refused THEN provider END, CASE WHEN NOT failed THEN model_name END,
       CASE WHEN NOT failed THEN prompt_tokens END, CASE WHEN NOT failed THEN completion_tokens END,
       -- The price of a model in a thousand is unknown.
       CASE WHEN NOT failed AND f > 0.001 THEN dollars END,
       CASE WHEN NOT failed THEN CASE WHEN f > 0.001 THEN 'list' ELSE 'unknown' END END,
       CASE WHEN NOT refused THEN latency_ms ELSE 0 END, error_type, CASE WHEN NOT failed THEN 'resp-' || n END,
       CASE WHEN current_setting('seed.whole')::boolean THEN jsonb_build_array(
           jsonb_build_object('at', finished_at - make_interval(secs => latency_ms / 1000.0), 'name', 'validate', 'outcome', CASE WHEN refused THEN error_type ELSE 'ok' END),
           jsonb_build_object(
               'at', finished_at - make_interval(secs => latency_ms / 1000.0), 'name', 'route_llm', 'outcome', coalesce(error_type, 'ok'),
               'detail', jsonb_build_object(
                   'route', format('routes[0]: complexity %s, task_type *, pick ordered', complexity),
                   'candidates', jsonb_build_array(provider || '/' || model_name, 'openai/gpt-5-mini')))) ELSE '[]' END
FROM nexus.seeded;

INSERT INTO nexus.attempts (
    request_id, number, provider, model, outcome, status_code, duration_ms, cost, cost_basis, error, owner, started_at, first_text_ms, key_name)
SELECT s.request_id, number, s.provider, s.model_name, o.outcome,
       CASE o.outcome WHEN 'ok' THEN 200 WHEN 'rate_limited' THEN 429 WHEN 'provider_error' THEN 503 END,
       s.latency_ms / s.calls, CASE WHEN o.outcome = 'ok' AND f > 0.001 THEN s.dollars END,
       CASE WHEN o.outcome = 'ok' THEN CASE WHEN f > 0.001 THEN 'list' ELSE 'unknown' END END,
       CASE WHEN o.outcome <> 'ok' THEN 'upstream said: ' || o.outcome END, s.node,
       s.finished_at - make_interval(secs => s.latency_ms / 1000.0 * (s.calls - number + 1) / s.calls),
       CASE WHEN o.outcome = 'ok' AND e > 0.5 THEN s.latency_ms / s.calls / 4 END, 'key-1'
FROM nexus.seeded AS s
CROSS JOIN LATERAL generate_series(1, s.calls) AS number
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.failed THEN s.error_type WHEN number = s.calls THEN 'ok' WHEN d > 0.5 THEN 'rate_limited' ELSE 'provider_error' END
) AS o (outcome);
