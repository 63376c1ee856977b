-- The request $1, then up to $3 of this queue whose ids begin with $1, among the next $2 ids in order.
WITH next AS MATERIALIZED (
    SELECT r.* FROM nexus.requests AS r WHERE r.request_id >= $1::text ORDER BY r.request_id LIMIT $2
)
SELECT p.request_id AS value, p.finished_at AS at,
       jsonb_build_object(
           'state', CASE WHEN p.state = 'queued' AND p.wait_until > clock_timestamp() THEN 'waiting' ELSE p.state END,
           'agent_id', left(p.agent_id, 256), 'task_type', left(p.task_type, 256),
           'provider', left(coalesce(p.provider, p.lane), 256), 'model', left(p.model, 256), 'error_type', left(p.error_type, 256),
           'received_at', p.received_at, 'leased_at', p.leased_at, 'cost', p.cost::text, 'attempts', p.attempts,
           'latency_ms', p.latency_ms, 'wait_reason', left(p.wait_reason, 256)) AS request
FROM next AS p
WHERE starts_with(p.request_id, $1::text) AND p.queue = '{requests}'
ORDER BY p.request_id <> $1::text, p.request_id
LIMIT $3
