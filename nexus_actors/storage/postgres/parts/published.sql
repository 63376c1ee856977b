-- Part of finish.sql: results are sent to the results queue.
-- Sending nothing would still fire the queue's trigger, hence the empty sets.
published AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT array_agg(
                     -- Here alone, so that it holds of every way to an end.
                     CASE WHEN d.sent_again_after IS NULL AND d.traceparent IS NULL THEN d.result
                          ELSE d.result || jsonb_strip_nulls(jsonb_build_object(
                              'supersedes', CASE WHEN d.sent_again_after IS NOT NULL THEN true END,
                              'traceparent', d.traceparent)) END
                     ORDER BY d.msg_id) AS messages
          FROM said AS d
          WHERE {queued}) AS batch
    CROSS JOIN LATERAL pgmq.send_batch('{results}', batch.messages)
    WHERE batch.messages IS NOT NULL
)
