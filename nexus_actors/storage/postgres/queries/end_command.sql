-- Record the outcome of the order $1.
UPDATE nexus.commands SET ended_at = clock_timestamp(), outcome = $2 WHERE number = $1 AND ended_at IS NULL
