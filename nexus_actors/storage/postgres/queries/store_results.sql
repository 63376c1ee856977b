-- Insert the rows of $1 (JSON) into job_results, acknowledge their messages and notify waiting clients.
--
-- Idempotent: the id is derived from the request's, and the acknowledgement needs no fence, since another reader of
-- the message finds its row. Locks: queue rows in order of msg_id, then job_results by id.
WITH item AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset($1::json) AS i (
        msg_id bigint, request_id text, id uuid, workflow text, status text, input text, output text,
        error text, tokens_used integer, cost_cents integer, duration_ms integer,
        completed_at timestamptz
    )
),
queued AS MATERIALIZED (
    SELECT q.msg_id
    FROM pgmq.q_{results} AS q
    -- Not a join: the queue is often empty when it is analysed, and the planner would then read all of it.
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM item))
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
stored AS (
    INSERT INTO public.job_results (
        id, workflow, instance_id, status, input, output, error, tokens_used, cost_cents,
        duration_ms, inserted_at, updated_at, completed_at
    )
    SELECT i.id, i.workflow, NULL, i.status, i.input::jsonb, i.output::jsonb, i.error,
           i.tokens_used, i.cost_cents, i.duration_ms, now() AT TIME ZONE 'UTC',
           now() AT TIME ZONE 'UTC', i.completed_at AT TIME ZONE 'UTC'
    FROM item AS i
    WHERE (SELECT count(*) FROM queued) >= 0
    ORDER BY i.id
    ON CONFLICT (id) DO NOTHING
),
-- A message whose number is in the archive already can only be deleted. One look-up per message: for EXISTS, the
-- planner may read the whole archive.
fate AS MATERIALIZED (
    SELECT q.msg_id,
           '{acknowledge}' = 'archive'
           AND (SELECT true FROM pgmq.a_{results} AS a WHERE a.msg_id = q.msg_id LIMIT 1) IS NULL AS kept
    FROM queued AS q
),
archived AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT array_agg(msg_id ORDER BY msg_id) AS ids FROM fate WHERE kept) AS f
    CROSS JOIN LATERAL pgmq.archive('{results}', f.ids)
    WHERE f.ids IS NOT NULL
),
deleted AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT array_agg(msg_id ORDER BY msg_id) AS ids FROM fate WHERE NOT kept) AS f
    CROSS JOIN LATERAL pgmq.delete('{results}', f.ids)
    WHERE f.ids IS NOT NULL
)
-- A full notification queue would fail the statement. Waiting clients also poll.
SELECT CASE WHEN (SELECT pg_notification_queue_usage()) < 0.5 THEN pg_notify('nexus_results', i.request_id) END
FROM item AS i
WHERE (SELECT count FROM archived) >= 0 AND (SELECT count FROM deleted) >= 0
