-- As prune_requests.sql, of the journal: requests that have ended. Of those that ended together with the oldest to stay none
-- goes.
SELECT request_id AS key
FROM nexus.requests
WHERE finished_at < greatest(  -- of what is not null
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
