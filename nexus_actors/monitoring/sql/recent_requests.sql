-- Up to $1 leased requests of this queue, latest lease first, then up to $1 ended ones, latest first. At most 5,000 of each, of all queues,
-- are read. Texts are cut.
(SELECT l.request_id, l.state, l.leased_at AS at, left(l.agent_id, 300) AS agent_id, l.task_type, l.provider, left(l.model, 300) AS model,
        l.latency_ms, l.cost, l.error_type
 FROM (SELECT r.* FROM nexus.requests AS r WHERE r.state = 'leased' LIMIT 5000) AS l
 WHERE l.queue = '{requests}'
 ORDER BY l.leased_at DESC
 LIMIT $1)
UNION ALL
(SELECT r.request_id, r.state, r.finished_at, left(r.agent_id, 300), r.task_type, r.provider, left(r.model, 300),
        r.latency_ms, r.cost, r.error_type
 FROM (SELECT e.* FROM nexus.requests AS e WHERE e.finished_at IS NOT NULL ORDER BY e.finished_at DESC LIMIT 5000) AS r
 WHERE r.queue = '{requests}'
 ORDER BY r.finished_at DESC
 LIMIT $1)
