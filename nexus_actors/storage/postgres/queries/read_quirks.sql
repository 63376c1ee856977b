-- The quirks of models that were learnt in the last $1 seconds, newest first, at most $2.
SELECT provider, model, field, effort, reason, learnt_at,
       greatest(extract(epoch FROM now() - learnt_at), 0)::float8 AS age
FROM nexus.model_quirks
WHERE learnt_at > now() - make_interval(secs => $1)
ORDER BY learnt_at DESC
LIMIT $2
