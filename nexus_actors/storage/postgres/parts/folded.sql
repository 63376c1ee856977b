common AS MATERIALIZED (
    SELECT k.kind, k.name
    FROM (SELECT v.kind, v.name, row_number() OVER (PARTITION BY v.kind ORDER BY sum(p.requests + p.attempts) DESC, v.name) AS place
          FROM parts AS p
          CROSS JOIN LATERAL (VALUES ('agent_id', p.agent_id), ('task_type', p.task_type), ('complexity', p.complexity),
                                     ('provider', p.provider), ('model', p.model), ('error_type', p.error_type)) AS v (kind, name)
          GROUP BY v.kind, v.name) AS k
    WHERE k.name = '' OR k.place <= CASE k.kind WHEN 'agent_id' THEN $5::integer ELSE $6::integer END
),
named AS (
    SELECT CASE WHEN p.agent_id IN (SELECT name FROM common WHERE kind = 'agent_id') THEN p.agent_id ELSE '(others)' END AS agent_id,
           CASE WHEN p.task_type IN (SELECT name FROM common WHERE kind = 'task_type') THEN p.task_type ELSE '(others)' END AS task_type,
           CASE WHEN p.complexity IN (SELECT name FROM common WHERE kind = 'complexity') THEN p.complexity ELSE '(others)' END AS complexity,
           CASE WHEN p.provider IN (SELECT name FROM common WHERE kind = 'provider') THEN p.provider ELSE '(others)' END AS provider,
           CASE WHEN p.model IN (SELECT name FROM common WHERE kind = 'model') THEN p.model ELSE '(others)' END AS model,
           CASE WHEN p.error_type IN (SELECT name FROM common WHERE kind = 'error_type') THEN p.error_type ELSE '(others)' END AS error_type,
           p.requests, p.prompt_tokens, p.completion_tokens, p.latency, p.attempts, p.cost, p.unknown_costs
    FROM parts AS p
),
rows AS MATERIALIZED (
    SELECT agent_id, task_type, complexity, provider, model, error_type,
           row_number() OVER (ORDER BY sum(requests + attempts) DESC, agent_id, task_type, complexity, provider, model, error_type) > $7
               AS is_rare,
           sum(requests) AS requests, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
           CASE WHEN sum(cardinality(latency)) = 0 THEN '{}' ELSE ARRAY[{summed_latencies}] END AS latency,
           sum(attempts) AS attempts, sum(cost) AS cost, sum(unknown_costs) AS unknown_costs
    FROM named
    GROUP BY agent_id, task_type, complexity, provider, model, error_type
),
each AS (
    SELECT CASE WHEN r.is_rare AND r.agent_id <> '' THEN '(others)' ELSE r.agent_id END AS agent_id,
           CASE WHEN r.is_rare AND r.task_type <> '' THEN '(others)' ELSE r.task_type END AS task_type,
           CASE WHEN r.is_rare AND r.complexity <> '' THEN '(others)' ELSE r.complexity END AS complexity,
           r.provider, r.model,
           CASE WHEN r.is_rare AND r.error_type <> '' THEN '(others)' ELSE r.error_type END AS error_type,
           r.requests, r.prompt_tokens, r.completion_tokens, r.latency, r.attempts, r.cost, r.unknown_costs
    FROM rows AS r
)
INSERT INTO nexus.sums (
    queue, span, at, key, agent_id, task_type, complexity, provider, model, error_type,
    requests, prompt_tokens, completion_tokens, latency, attempts, cost, unknown_costs
)
SELECT $1, $2, $3, {sum_key}, agent_id, task_type, complexity, provider, model, error_type,
       sum(requests), sum(prompt_tokens), sum(completion_tokens),
       CASE WHEN sum(cardinality(latency)) = 0 THEN '{}' ELSE ARRAY[{summed_latencies}] END,
       sum(attempts), sum(cost), sum(unknown_costs)
FROM each
GROUP BY agent_id, task_type, complexity, provider, model, error_type
