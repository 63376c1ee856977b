-- Part of finish.sql if this service stores results: they are put into job_results here, as store_results.sql does with
-- those from the results queue, and archived as if they had come from there. `storage/job_results.py` says what a row
-- holds. A result that replaces an error goes to the queue, since that needs a privilege that not every role has.
-- Locks: job_results by id, last.
stored AS (
    INSERT INTO public.job_results (
        id, workflow, instance_id, status, input, output, error, tokens_used, cost_cents,
        duration_ms, inserted_at, updated_at, completed_at
    )
    SELECT d.row_id, 'Singularity.Workflows.LlmRequest', NULL,
           CASE WHEN d.status = 'ok' THEN 'success' WHEN d.error ->> 'type' = 'timeout' THEN 'timeout' ELSE 'failed' END,
           jsonb_build_object('request_id', d.request_id, 'agent_id', d.agent_id, 'complexity', d.complexity,
                              'task_type', d.task_type),
           d.result,
           CASE WHEN d.status <> 'ok' THEN
               concat(d.error ->> 'type', ': ',
                      CASE WHEN d.error ->> 'message' <> d.error ->> 'path'
                                AND NOT starts_with(d.error ->> 'message', concat(d.error ->> 'path', ': '))
                           THEN concat(d.error ->> 'path', ': ') END,
                      d.error ->> 'message') END,
           CASE WHEN d.status = 'ok' THEN least((d.usage ->> 'total_tokens')::bigint, 2147483647) ELSE 0 END,
           CASE WHEN d.status = 'ok' AND d.cost IS NOT NULL THEN least(round(d.cost * 100), 2147483647) ELSE 0 END,
           least(d.latency_ms, 2147483647), now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC',
           d."timestamp"::timestamptz AT TIME ZONE 'UTC'
    FROM said AS d
    WHERE d.sent_again_after IS NULL
    ORDER BY d.row_id
    ON CONFLICT (id) DO NOTHING
),
-- A number that is in the archive already belongs to another message, which stays.
filed AS (
    INSERT INTO pgmq.a_{results} (msg_id, read_ct, vt, message)
    SELECT nextval('pgmq.q_{results}_msg_id_seq'), 1, clock_timestamp(),
           d.result
    FROM (SELECT * FROM said WHERE sent_again_after IS NULL AND '{acknowledge}' = 'archive' ORDER BY msg_id) AS d
    ON CONFLICT DO NOTHING
),
-- A full notification queue would fail the statement. Waiting clients also poll.
notified AS MATERIALIZED (
    SELECT count(*)
    FROM said AS d
    CROSS JOIN LATERAL pg_notify('nexus_results', d.request_id)
    WHERE d.sent_again_after IS NULL AND (SELECT pg_notification_queue_usage()) < 0.5
)
