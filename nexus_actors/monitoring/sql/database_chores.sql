-- The chores of this queue: the leader of each, and when a round was last completed.
SELECT c.chore, c.queue, c.node, n.name AS node_name, c.term, c.beat_at, c.done_at,
       coalesce(c.beat_at < clock_timestamp() - interval '10 s', true) AS silent,
       extract(epoch FROM clock_timestamp() - greatest(c.done_at, c.made_at))::float8 AS idle
FROM nexus.chores AS c
LEFT JOIN nexus.nodes AS n ON n.node = c.node
WHERE c.queue = '{requests}'
ORDER BY c.chore
