-- The seconds since any node completed a round of the chore prune of this queue; null if no node ever held it.
SELECT extract(epoch FROM clock_timestamp() - greatest(c.done_at, c.made_at))::float8 AS idle
FROM nexus.chores AS c
WHERE c.chore = 'prune' AND c.queue = '{requests}'
