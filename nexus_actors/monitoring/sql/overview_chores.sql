-- Seconds since the last complete round of each chore of the queue $1.
SELECT chore, node, extract(epoch FROM clock_timestamp() - greatest(done_at, made_at))::float8 AS idle
FROM nexus.chores
WHERE queue = $1
