-- As prune_requests.sql, of the journal: requests that have ended, with their attempts. Of those that ended together with the
-- oldest to stay none goes. An index leads to the oldest, so that $5 is not needed.
WITH old AS MATERIALIZED (
    SELECT request_id
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
    ORDER BY finished_at, request_id
    OFFSET $4::bigint
    LIMIT CASE WHEN $5::bigint > 0 THEN $3::integer END
    FOR UPDATE SKIP LOCKED
),
assumed AS (
    DELETE FROM nexus.assumed_costs AS a USING old AS o WHERE a.request_id = o.request_id
)
DELETE FROM nexus.requests AS r USING old AS o WHERE r.request_id = o.request_id
