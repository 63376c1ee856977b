-- Forget what was learnt about provider $1's model $2 and its field $3; null stands for any. Returns what was forgotten.
DELETE FROM nexus.model_quirks
WHERE ($1::text IS NULL OR provider = $1)
      AND ($2::text IS NULL OR model = $2)
      AND ($3::text IS NULL OR field = $3)
RETURNING provider, model, field, effort
