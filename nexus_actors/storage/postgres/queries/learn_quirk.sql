-- Record that provider $1's model $2 does not accept field $3 in a request of effort $4; $5 is the reason to report.
-- Delete what was learnt more than $6 seconds ago, and of this provider everything but the $7 newest.
WITH gone AS (
    DELETE FROM nexus.model_quirks AS q
    USING (
        SELECT provider, model, field, effort
        FROM nexus.model_quirks
        WHERE (learnt_at < now() - make_interval(secs => $6)
               OR (provider = $1 AND learnt_at < (
                      SELECT learnt_at FROM nexus.model_quirks
                      WHERE provider = $1
                            AND (model, field, effort) <> ($2, $3, $4)
                      ORDER BY learnt_at DESC
                      OFFSET $7 - 2  -- the last one that may stay beside the new one
                      LIMIT 1)))
              AND (provider, model, field, effort) <> ($1, $2, $3, $4)
        FOR UPDATE SKIP LOCKED  -- another process may be deleting the same rows
    ) AS old
    WHERE (q.provider, q.model, q.field, q.effort) = (old.provider, old.model, old.field, old.effort)
)
INSERT INTO nexus.model_quirks AS q (provider, model, field, effort, reason, learnt_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (provider, model, field, effort) DO UPDATE SET reason = excluded.reason, learnt_at = excluded.learnt_at
