-- Like prune_requests.sql, for requests in the journal that have ended. Those that ended at the same time as the oldest
-- one to keep are kept, too.
SELECT request_id AS key
FROM nexus.requests
WHERE finished_at < greatest(  -- ignores nulls
    CASE WHEN $1::float8 > 0 THEN now() - make_interval(secs => $1) END,
    CASE WHEN $2::bigint > 0 THEN (
        SELECT finished_at
        FROM nexus.requests
        WHERE finished_at IS NOT NULL
        ORDER BY finished_at DESC
        OFFSET greatest($2 - 1, 0)
        LIMIT 1)
    END)
    AND request_id <> ALL ($4::text[])
ORDER BY finished_at
LIMIT $3
