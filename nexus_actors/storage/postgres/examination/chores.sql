-- For how many seconds nobody has completed a round of the chore prune of this queue; null where it was never held.
SELECT extract(epoch FROM clock_timestamp() - greatest(c.done_at, c.made_at))::float8 AS idle
FROM nexus.chores AS c
WHERE c.chore = 'prune' AND c.queue = '{requests}'
