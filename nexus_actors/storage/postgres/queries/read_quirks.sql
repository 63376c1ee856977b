-- What was learnt of models in the last $1 seconds, the newest first, $2 at most.
SELECT provider, model, field, effort, reason, learnt_at,
       greatest(extract(epoch FROM now() - learnt_at), 0)::float8 AS age
FROM nexus.model_quirks
WHERE learnt_at > now() - make_interval(secs => $1)
ORDER BY learnt_at DESC
LIMIT $2
