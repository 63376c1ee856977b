-- The totals of the queue $1 for each span of kind $2 from $3 on. For hours, also the minutes since the last full hour.
SELECT t.span, t.at, t.requests, t.failed, t.latency, t.cost, t.unknown_costs, t.prompt_tokens, t.completion_tokens
FROM nexus.totals AS t
WHERE t.queue = $1 AND t.span = $2 AND t.at >= $3
UNION ALL
SELECT t.span, t.at, t.requests, t.failed, t.latency, t.cost, t.unknown_costs, t.prompt_tokens, t.completion_tokens
FROM nexus.sums_progress AS p
JOIN nexus.totals AS t ON t.queue = p.queue AND t.span = 'minute' AND t.at >= p.hours_until
WHERE p.queue = $1 AND $2 = 'hour'
ORDER BY 2
