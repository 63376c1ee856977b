-- As hold_chore.sql: let another have it.
UPDATE nexus.chores SET node = NULL, beat_at = NULL WHERE chore = $1 AND queue = $2 AND node = $3 AND term = $4
