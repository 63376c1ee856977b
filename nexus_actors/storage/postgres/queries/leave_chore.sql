-- Like hold_chore.sql, but release the chore.
UPDATE nexus.chores SET node = NULL, beat_at = NULL WHERE chore = $1 AND queue = $2 AND node = $3 AND term = $4
