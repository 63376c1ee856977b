-- Insert the results $1 (JSON) of requests that were sent again under their ids, replacing errors in job_results. Their
-- messages are not acknowledged: store_results.sql does that. A success stays, and so does a newer error, so reading an
-- old message again changes nothing. Only this statement needs UPDATE on the table.
--
-- For a success, times (perhaps of two machines) need no comparison: there is at most one, and it is the last result.
-- Locks: job_results by id.
INSERT INTO public.job_results AS r (
    id, workflow, instance_id, status, input, output, error, tokens_used, cost_cents, duration_ms, inserted_at, updated_at,
    completed_at
)
SELECT id, workflow, NULL, status, input::jsonb, output::jsonb, error, tokens_used, cost_cents, duration_ms,
       now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', completed_at AT TIME ZONE 'UTC'
FROM (
    -- Of several results with one id the last, since a statement may change a row only once.
    SELECT DISTINCT ON (id) *
    FROM json_to_recordset($1::json) AS i (
        msg_id bigint, id uuid, workflow text, status text, input text, output text, error text, tokens_used integer,
        cost_cents integer, duration_ms integer, completed_at timestamptz
    )
    ORDER BY id, status = 'success' DESC, completed_at DESC NULLS LAST, msg_id DESC
) AS i
ORDER BY id
ON CONFLICT (id) DO UPDATE
SET (status, input, output, error, tokens_used, cost_cents, duration_ms, updated_at, completed_at) = (
        excluded.status, excluded.input, excluded.output, excluded.error, excluded.tokens_used, excluded.cost_cents,
        excluded.duration_ms, excluded.updated_at, excluded.completed_at)
WHERE r.status <> 'success'
      AND (excluded.status = 'success' OR r.completed_at IS NULL OR r.completed_at <= excluded.completed_at)
