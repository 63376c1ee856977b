-- Like hold_chore.sql, and record that a round is complete.
UPDATE nexus.chores
SET beat_at = clock_timestamp(), done_at = clock_timestamp()
WHERE chore = $1 AND queue = $2 AND node = $3 AND term = $4
