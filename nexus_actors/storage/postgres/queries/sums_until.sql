-- Record how far the sums of the queue $1 have come.
UPDATE nexus.sums_progress SET minutes_until = $2, hours_until = $3, hours_since = $4, minutes_since = $5 WHERE queue = $1
