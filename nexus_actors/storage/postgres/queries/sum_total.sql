-- Sum all sums of the queue $1 in the span $2 that begins at $3 into one row; no row if there are none.
INSERT INTO nexus.totals (
    queue, span, at, requests, failed, prompt_tokens, completion_tokens, latency, attempts, cost, unknown_costs
)
-- Cancelled requests did not fail.
SELECT $1, $2, $3, sum(requests),
       coalesce(sum(requests) FILTER (WHERE error_type NOT IN ('', 'cancelled')), 0), sum(prompt_tokens), sum(completion_tokens),
       CASE WHEN coalesce(sum(cardinality(latency)), 0) = 0 THEN '{}' ELSE ARRAY[{summed_latencies}] END,
       sum(attempts), sum(cost), sum(unknown_costs)
FROM (SELECT s.queue, s.span, s.at, s.requests, s.error_type, s.prompt_tokens, s.completion_tokens, s.attempts, s.cost, s.unknown_costs,
             -- Only of successes: the latency of a failure is how long it was tried.
             CASE WHEN s.error_type = '' THEN s.latency END AS latency
      FROM nexus.sums AS s) AS s
WHERE queue = $1 AND span = $2 AND at = $3
HAVING count(*) > 0
