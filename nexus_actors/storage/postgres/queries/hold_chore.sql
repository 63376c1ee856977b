-- A sign of life of who holds the chore $1 of the queue $2 as the node $3 in the term $4; nothing where that is over. Until the
-- transaction ends, nobody takes it over.
UPDATE nexus.chores SET beat_at = clock_timestamp() WHERE chore = $1 AND queue = $2 AND node = $3 AND term = $4 RETURNING term
