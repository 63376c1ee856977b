-- The sums that the roll-up would write for the requests of history.sql, in one statement. test_seed.py compares the two.
-- In braces: the numbers of each bucket of nexus.latency_bounds(), and their sums.
CREATE UNLOGGED TABLE nexus.seeded_parts AS
SELECT s.finished_at AS at, s.agent_id, coalesce(s.task_type, '') AS task_type, s.complexity, CASE WHEN s.refused THEN '' ELSE s.provider END AS provider,
       CASE WHEN s.failed THEN '' ELSE s.model_name END AS model, coalesce(s.error_type, '') AS error_type, 1 AS requests,
       CASE WHEN NOT s.failed THEN s.prompt_tokens END AS prompt_tokens, CASE WHEN NOT s.failed THEN s.completion_tokens END AS completion_tokens,
       width_bucket(CASE WHEN s.refused THEN 0 ELSE s.latency_ms END, nexus.latency_bounds()) AS bucket,
       0 AS attempts, 0.0 AS cost, 0 AS unknown_costs
FROM nexus.seeded AS s
UNION ALL
SELECT s.finished_at, s.agent_id, coalesce(s.task_type, ''), s.complexity, s.provider, s.model_name, '', 0, NULL, NULL, NULL, s.calls,
       CASE WHEN NOT s.failed AND s.f > 0.001 THEN s.dollars ELSE 0 END, CASE WHEN NOT s.failed AND s.f <= 0.001 THEN 1 ELSE 0 END
FROM nexus.seeded AS s
WHERE s.calls > 0;

INSERT INTO nexus.sums_progress (queue, minutes_until, hours_until, hours_since)
SELECT 'ai_requests', date_trunc('minute', now() - interval '40 s', 'UTC'), date_trunc('hour', now() - interval '40 s', 'UTC'),
       (SELECT date_trunc('hour', min(finished_at), 'UTC') FROM nexus.seeded);

INSERT INTO nexus.sums (
    queue, span, at, key, agent_id, task_type, complexity, provider, model, error_type,
    requests, prompt_tokens, completion_tokens, latency, attempts, cost, unknown_costs)
SELECT 'ai_requests', l.span, date_trunc(l.span, p.at, 'UTC'),
       md5(jsonb_build_array(agent_id, task_type, complexity, provider, model, error_type)::text)::uuid,
       agent_id, task_type, complexity, provider, model, error_type,
       sum(requests), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),
       CASE WHEN count(bucket) = 0 THEN '{}' ELSE ARRAY[{counted}] END, sum(attempts), sum(cost), sum(unknown_costs)
FROM nexus.sums_progress AS g
CROSS JOIN (VALUES ('minute'), ('hour')) AS l (span)
JOIN nexus.seeded_parts AS p
     ON CASE l.span WHEN 'hour' THEN p.at < g.hours_until
        ELSE p.at < g.minutes_until AND p.at >= date_trunc('hour', now() - interval '40 s' - interval '3 hours', 'UTC') END
GROUP BY l.span, 3, agent_id, task_type, complexity, provider, model, error_type;

INSERT INTO nexus.sums (
    queue, span, at, key, agent_id, task_type, complexity, provider, model, error_type,
    requests, prompt_tokens, completion_tokens, latency, attempts, cost, unknown_costs)
SELECT 'ai_requests', 'day', date_trunc('day', at, 'UTC'), key, agent_id, task_type, complexity, provider, model, error_type,
       sum(requests), sum(prompt_tokens), sum(completion_tokens),
       CASE WHEN sum(cardinality(latency)) = 0 THEN '{}' ELSE ARRAY[{summed}] END, sum(attempts), sum(cost), sum(unknown_costs)
FROM nexus.sums
WHERE span = 'hour'
GROUP BY 3, key, agent_id, task_type, complexity, provider, model, error_type;

INSERT INTO nexus.totals (
    queue, span, at, requests, failed, prompt_tokens, completion_tokens, latency, attempts, cost, unknown_costs)
SELECT 'ai_requests', span, at, sum(requests), coalesce(sum(requests) FILTER (WHERE error_type <> ''), 0), sum(prompt_tokens),
       sum(completion_tokens),
       CASE WHEN coalesce(sum(cardinality(latency)) FILTER (WHERE error_type = ''), 0) = 0 THEN '{}' ELSE ARRAY[{answered}] END,
       sum(attempts), sum(cost), sum(unknown_costs)
FROM nexus.sums
GROUP BY span, at;

-- How long the queue was: a day's wave, with a peak now and then.
INSERT INTO nexus.backlog (queue, span, at, messages, due_seconds)
SELECT 'ai_requests', l.span, at,
       round(40 + 30 * sin(extract(epoch FROM at) / 13750) + CASE WHEN h.number % 23 = 0 THEN h.number % 400 ELSE h.number % 15 END),
       round((1 + h.number % 3 + CASE WHEN h.number % 23 = 0 THEN h.number % 90 ELSE 0 END)::numeric, 1)
FROM (VALUES ('minute', interval '1 minute', interval '3 hours'), ('hour', interval '1 hour', interval '8 days')) AS l (span, step, back)
CROSS JOIN LATERAL generate_series(date_trunc(l.span, now() - l.back, 'UTC'), now(), l.step) AS g (at)
CROSS JOIN LATERAL (SELECT abs(hashint8(extract(epoch FROM at)::bigint)) AS number) AS h;

DROP TABLE nexus.seeded_parts;
