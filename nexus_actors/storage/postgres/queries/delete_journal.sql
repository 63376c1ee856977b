-- Delete the requests $1 that have ended, with their attempts, unless they are locked. Returns how many.
WITH old AS MATERIALIZED (
    SELECT request_id
    FROM nexus.requests
    WHERE request_id = ANY ($1::text[]) AND finished_at IS NOT NULL
    FOR UPDATE SKIP LOCKED
),
assumed AS (
    DELETE FROM nexus.assumed_costs AS a USING old AS o WHERE a.request_id = o.request_id AND a.request_id = ANY ($1::text[])
),
cancelled AS (
    DELETE FROM nexus.cancellations AS c USING old AS o WHERE c.request_id = o.request_id AND c.request_id = ANY ($1::text[])
),
gone AS (
    DELETE FROM nexus.requests AS r USING old AS o WHERE r.request_id = o.request_id AND r.request_id = ANY ($1::text[]) RETURNING 1
)
SELECT count(*) FROM gone
