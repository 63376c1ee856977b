-- The end of a statement that makes the requests `held` (request_id, msg_id) visible and notifies the services. Returns how
-- many.
returned AS (
    UPDATE nexus.requests AS r SET state = 'queued', lane = NULL
    FROM held AS h
    WHERE r.request_id = h.request_id AND r.request_id = ANY (ARRAY(SELECT request_id FROM held))
),
released AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp()
    FROM held AS h
    WHERE q.msg_id = h.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM held))
    RETURNING q.msg_id
)
SELECT count(*), CASE WHEN count(*) > 0 AND pg_notification_queue_usage() < 0.5 THEN pg_notify('{channel}', '') END FROM released
