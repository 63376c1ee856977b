-- Delete the cancellations of the requests $1, unless a request is in work by now. Returns how many.
WITH wanted AS MATERIALIZED (
    SELECT r.request_id FROM nexus.requests AS r WHERE r.request_id = ANY ($1::text[]) AND r.finished_at IS NULL
),
gone AS (
    DELETE FROM nexus.cancellations AS c
    WHERE c.request_id = ANY ($1::text[]) AND c.request_id NOT IN (SELECT request_id FROM wanted)
    RETURNING 1
)
SELECT count(*) FROM gone
