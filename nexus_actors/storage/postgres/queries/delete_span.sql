-- Delete the sums and totals of the queue $1 with the span $2 that begin from $3 until before $4.
WITH sums AS (DELETE FROM nexus.sums WHERE queue = $1 AND span = $2 AND at >= $3 AND at < $4)
DELETE FROM nexus.totals WHERE queue = $1 AND span = $2 AND at >= $3 AND at < $4
