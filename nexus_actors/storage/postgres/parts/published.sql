-- Part of finish.sql: results are sent to the results queue.
-- Sending nothing would still fire the queue's trigger, hence the empty sets.
published AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT array_agg(
                     -- Only here, so that it applies to every kind of end.
                     CASE WHEN d.sent_again_after IS NULL THEN d.result
                          ELSE d.result || '{"supersedes": true}' END
                     ORDER BY d.msg_id) AS messages
          FROM said AS d
          WHERE {queued}) AS batch
    CROSS JOIN LATERAL pgmq.send_batch('{results}', batch.messages)
    WHERE batch.messages IS NOT NULL
)
