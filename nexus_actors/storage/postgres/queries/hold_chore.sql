-- A heartbeat of the node $3, which holds the chore $1 of the queue $2 in the term $4. No row if that term is over.
-- Until the transaction ends, no other node can take over.
UPDATE nexus.chores SET beat_at = clock_timestamp() WHERE chore = $1 AND queue = $2 AND node = $3 AND term = $4 RETURNING term
