-- Sum the requests of the queue $1 that ended from $3 until before $4 as the span $2, with their attempts by the attempts'
-- own provider and model. Only the busiest texts have rows of their own, $5 agents and $6 of any other kind; if there are
-- more than $7 rows, the rest is summed by provider and model. So a span has few rows, whatever producers write.
-- Attempts of a request that was sent again after they had been summed are not summed again.
WITH ended AS MATERIALIZED (
    SELECT r.request_id, left(coalesce(r.agent_id, ''), 255) AS agent_id, left(coalesce(r.task_type, ''), 255) AS task_type,
           left(coalesce(r.complexity, ''), 255) AS complexity, left(coalesce(r.provider, ''), 255) AS provider,
           left(coalesce(r.model, ''), 255) AS model,
           CASE WHEN r.state = 'failed' THEN left(coalesce(nullif(r.error_type, ''), 'failed'), 255) ELSE '' END AS error_type,
           coalesce(r.summed_attempts, 0) AS summed, r.prompt_tokens, r.completion_tokens, width_bucket(r.latency_ms, nexus.latency_bounds()) AS bucket
    FROM nexus.requests AS r
    WHERE r.finished_at >= $3 AND r.finished_at < $4 AND r.queue = $1
),
calls AS MATERIALIZED (
    SELECT a.request_id, left(coalesce(a.provider, ''), 255) AS provider, left(coalesce(a.model, ''), 255) AS model,
           count(*) AS attempts, coalesce(sum(a.cost), 0) AS cost,
           count(*) FILTER (WHERE a.cost IS NULL AND (a.outcome = 'ok' OR a.maybe_paid)) AS unknown_costs
    FROM nexus.attempts AS a
    JOIN ended AS e ON e.request_id = a.request_id
    WHERE a.request_id = ANY (ARRAY(SELECT request_id FROM ended)) AND a.number > e.summed
    GROUP BY 1, 2, 3
),
each_one AS (
    SELECT agent_id, task_type, complexity, provider, model, error_type,
           1 AS requests, prompt_tokens, completion_tokens, bucket, 0 AS attempts, 0 AS cost, 0 AS unknown_costs
    FROM ended
    UNION ALL
    SELECT e.agent_id, e.task_type, e.complexity, c.provider, c.model, '', 0, 0, 0, NULL, c.attempts, c.cost, c.unknown_costs
    FROM calls AS c
    JOIN ended AS e ON e.request_id = c.request_id
),
parts AS MATERIALIZED (
    SELECT agent_id, task_type, complexity, provider, model, error_type, sum(requests) AS requests,
           coalesce(sum(prompt_tokens), 0) AS prompt_tokens, coalesce(sum(completion_tokens), 0) AS completion_tokens,
           CASE WHEN count(bucket) = 0 THEN '{}' ELSE ARRAY[{counted_latencies}] END AS latency,
           sum(attempts) AS attempts, sum(cost) AS cost, sum(unknown_costs) AS unknown_costs
    FROM each_one
    GROUP BY agent_id, task_type, complexity, provider, model, error_type
),
{folded}
