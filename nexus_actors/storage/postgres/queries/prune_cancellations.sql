-- Like prune_journal.sql, for cancellations: those of requests that have ended, and those older than $1 seconds of
-- requests that were never leased.
SELECT c.request_id AS key
FROM nexus.cancellations AS c
LEFT JOIN LATERAL (
    SELECT r.finished_at IS NOT NULL AS ended FROM nexus.requests AS r WHERE r.request_id = c.request_id LIMIT 1
) AS r ON true
WHERE coalesce(r.ended, c.requested_at < now() - make_interval(secs => $1::float8))
      AND $2::bigint = 0 AND c.request_id <> ALL ($4::text[])
ORDER BY c.requested_at
LIMIT $3
