-- The seconds since any node completed a round of the chore $1 of the queue $2.
SELECT extract(epoch FROM clock_timestamp() - greatest(done_at, made_at))::float8 AS idle
FROM nexus.chores
WHERE chore = $1 AND queue = $2
