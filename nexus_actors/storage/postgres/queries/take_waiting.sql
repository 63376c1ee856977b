-- Lease for instance $1, for $2 seconds, requests that wait for the lanes $3, at most $4 of each, oldest first; and up to
-- $5 that wait for any lane and whose own time is over.
--
-- Locks: queue rows, skipping those that are locked, then journal rows in order of request_id. Two processes that
-- take at once get different requests: a row whose delivery has moved on since this statement began no longer
-- has the journal's read_ct.
WITH free AS MATERIALIZED (
    SELECT picked.*
    FROM unnest($3::text[], $4::integer[]) AS room (lane, places)
    CROSS JOIN LATERAL (
        SELECT q.msg_id, w.request_id, w.read_ct, q.enqueued_at, q.message
        FROM nexus.requests AS w
        JOIN pgmq.q_{requests} AS q ON q.msg_id = w.msg_id AND q.read_ct = w.read_ct
        WHERE w.state = 'waiting' AND w.queue = '{requests}' AND w.lane = room.lane
        ORDER BY w.msg_id
        LIMIT room.places
        FOR UPDATE OF q SKIP LOCKED
    ) AS picked
),
expired AS MATERIALIZED (
    SELECT q.msg_id, w.request_id, w.read_ct, q.enqueued_at, q.message
    FROM nexus.requests AS w
    JOIN pgmq.q_{requests} AS q ON q.msg_id = w.msg_id AND q.read_ct = w.read_ct
    WHERE w.state = 'waiting' AND w.queue = '{requests}' AND w.deadline <= now()
    ORDER BY w.deadline
    LIMIT $5
    FOR UPDATE OF q SKIP LOCKED
),
due AS MATERIALIZED (
    SELECT * FROM free
    UNION ALL
    SELECT * FROM expired WHERE msg_id NOT IN (SELECT msg_id FROM free)
),
held AS MATERIALIZED (
    SELECT w.request_id, w.msg_id
    FROM nexus.requests AS w
    JOIN due AS f ON w.request_id = f.request_id
    WHERE w.state = 'waiting' AND w.msg_id = f.msg_id AND w.read_ct = f.read_ct
    ORDER BY w.request_id
    FOR UPDATE OF w
),
leased AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp() + make_interval(secs => $2), read_ct = q.read_ct + 1
    FROM held AS h
    WHERE q.msg_id = h.msg_id
    RETURNING q.msg_id, q.read_ct
),
claimed AS (
    UPDATE nexus.requests AS w
    SET read_ct = w.read_ct + 1, owner = $1, state = 'leased', lane = NULL,
        attempts = w.attempts + 1, leased_at = now()
    FROM held AS h
    WHERE w.request_id = h.request_id
    RETURNING w.request_id, w.msg_id, w.read_ct, w.attempts, w.spared_attempts,
              w.used_candidates, w.leased_at
)
SELECT c.msg_id, c.read_ct, f.message::text AS body, pg_column_size(f.message) AS size, f.enqueued_at, c.leased_at, c.request_id,
       'claimed' AS verdict, c.attempts - 1 AS attempts, c.spared_attempts,
       c.used_candidates, p.provider AS previous_provider, p.model AS previous_model,
       p.key_name AS previous_key
FROM claimed AS c
JOIN due AS f ON f.msg_id = c.msg_id
JOIN leased AS l ON l.msg_id = c.msg_id
-- As in lease.sql.
CROSS JOIN LATERAL (
    SELECT CASE
               WHEN jsonb_typeof(f.message -> 'request') = 'object'
                    AND jsonb_typeof(f.message -> 'request_id') IS DISTINCT FROM 'string'
                   THEN f.message -> 'request' ->> 'previous_response_id'
               ELSE f.message ->> 'previous_response_id'
           END AS id
) AS previous
LEFT JOIN LATERAL (
    SELECT h.provider, h.model,
           (SELECT a.key_name FROM nexus.attempts AS a
            WHERE a.request_id = h.request_id AND a.outcome = 'ok'
            ORDER BY a.number DESC LIMIT 1) AS key_name
    FROM nexus.requests AS h
    WHERE md5(h.response_id) = md5(previous.id) AND h.response_id = previous.id
    ORDER BY h.finished_at DESC
    LIMIT 1
) AS p ON true
ORDER BY c.msg_id
