-- Lease for instance $1, for $2 seconds, requests that wait for the providers $3 (column lane), at most $4 of each,
-- oldest first; and up to $5 whose timeout has passed, whatever they wait for. A message of more than $6 bytes is
-- returned without its text. The texts of the others have at most $7 bytes together, but at least one is returned.
--
-- Every row is looked up by its key, as in finish.sql.
-- Locks: queue rows and journal rows; a request with a locked row is skipped, so it does not block the others. Two
-- processes that run this at once get different requests: a row that was delivered since this statement began no longer
-- has the journal's read_ct.
WITH free AS MATERIALIZED (
    SELECT picked.*
    FROM unnest($3::text[], $4::integer[]) AS room (lane, places)
    CROSS JOIN LATERAL (
        SELECT q.msg_id, w.request_id, w.read_ct, q.message
        FROM nexus.requests AS w
        CROSS JOIN LATERAL (
            SELECT q.msg_id, q.message
            FROM pgmq.q_{requests} AS q
            WHERE q.msg_id = w.msg_id AND q.read_ct = w.read_ct AND {same_w}
            FOR UPDATE SKIP LOCKED
        ) AS q
        WHERE w.state = 'waiting' AND w.queue = '{requests}' AND w.lane = room.lane
              AND w.read_ct < 2147483000  -- a row beyond this counter is leased when it is visible again
        ORDER BY w.msg_id
        LIMIT room.places
        FOR NO KEY UPDATE OF w SKIP LOCKED
    ) AS picked
),
expired AS MATERIALIZED (
    SELECT q.msg_id, w.request_id, w.read_ct, q.message
    FROM nexus.requests AS w
    CROSS JOIN LATERAL (
        SELECT q.msg_id, q.message
        FROM pgmq.q_{requests} AS q
        WHERE q.msg_id = w.msg_id AND q.read_ct = w.read_ct AND {same_w}
        FOR UPDATE SKIP LOCKED
    ) AS q
    WHERE w.state = 'waiting' AND w.queue = '{requests}' AND w.deadline <= now() AND w.read_ct < 2147483000
    ORDER BY w.deadline
    LIMIT $5
    FOR NO KEY UPDATE OF w SKIP LOCKED
),
due AS MATERIALIZED (
    SELECT * FROM free
    UNION ALL
    SELECT * FROM expired WHERE msg_id NOT IN (SELECT msg_id FROM free)
),
-- As in lease.sql.
few AS MATERIALIZED (
    SELECT *
    FROM (SELECT d.*, row_number() OVER (ORDER BY d.msg_id) AS place,
                 sum({weight_d}) OVER (ORDER BY d.msg_id) AS together
          FROM due AS d) AS s
    WHERE place = 1 OR together <= 8388608
),
opened AS MATERIALIZED (
    SELECT f.msg_id, f.request_id, f.read_ct, o.body, o.bytes, o.fault, o.previous_id
    FROM few AS f
    CROSS JOIN LATERAL nexus.read_message(f.message, $6) AS o
),
fitting AS MATERIALIZED (
    SELECT *
    FROM (SELECT *, row_number() OVER (ORDER BY msg_id) AS place,
                 sum(octet_length(body)) OVER (ORDER BY msg_id) AS together
          FROM opened) AS s
    WHERE place = 1 OR body IS NULL OR together <= $7
),
held AS MATERIALIZED (
    SELECT w.request_id, w.msg_id, w.leased_at
    FROM nexus.requests AS w
    JOIN fitting AS f ON w.request_id = f.request_id
    WHERE w.request_id = ANY (ARRAY(SELECT request_id FROM fitting))
          AND w.state IS NOT DISTINCT FROM 'waiting' AND w.msg_id = f.msg_id AND w.read_ct = f.read_ct
),
leased AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp() + make_interval(secs => $2), read_ct = q.read_ct + 1
    FROM held AS h
    WHERE q.msg_id = h.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM held))
    RETURNING q.msg_id, q.read_ct
),
claimed AS (
    UPDATE nexus.requests AS w
    SET read_ct = w.read_ct + 1, owner = $1, state = 'leased', lane = NULL,
        attempts = w.attempts + 1, leased_at = now()
    FROM held AS h
    WHERE w.request_id = h.request_id AND w.request_id = ANY (ARRAY(SELECT request_id FROM held))
    RETURNING w.request_id, w.msg_id, w.read_ct, w.attempts, w.spared_attempts,
              w.used_candidates, w.leased_at, w.first_leased_at, w.received_at, coalesce(w.sent_again_after, 0) AS earlier_attempts,
              w.traceparent, w.wait_reason, w.wait_detail, greatest(w.wait_since, h.leased_at) AS wait_since
),
cancelled AS MATERIALIZED (
    SELECT c.request_id, coalesce(c.by, '') AS by, c.why
    FROM nexus.cancellations AS c
    WHERE c.request_id = ANY (ARRAY(SELECT request_id FROM held))
)
SELECT c.msg_id, c.read_ct, i.body, i.bytes AS size, i.fault,
       least(greatest(c.received_at, '1970-01-01 00:00:00+00'), now()) AS enqueued_at, c.leased_at, c.first_leased_at,
       c.request_id,
       CASE WHEN x.request_id IS NOT NULL THEN 'cancelled' ELSE 'claimed' END AS verdict,
       c.attempts - 1 AS attempts, c.spared_attempts, c.earlier_attempts,
       CASE WHEN c.attempts > 1 THEN (
           SELECT a.started_at FROM nexus.attempts AS a
           WHERE a.request_id = c.request_id AND a.number > c.earlier_attempts ORDER BY a.number LIMIT 1
       ) END AS first_attempt_at,
       CASE WHEN c.attempts > 1 THEN (
           SELECT a.outcome FROM nexus.attempts AS a
           WHERE a.request_id = c.request_id AND a.number > c.earlier_attempts ORDER BY a.number DESC LIMIT 1
       ) END AS last_outcome,
       c.used_candidates, p.provider AS previous_provider, p.model AS previous_model,
       p.key_name AS previous_key, x.by AS cancelled_by, x.why AS cancelled_why,
       c.traceparent, c.wait_since AS waited_since, c.wait_reason AS waited_for, c.wait_detail AS waited_detail
FROM claimed AS c
JOIN fitting AS i ON i.msg_id = c.msg_id
JOIN leased AS l ON l.msg_id = c.msg_id
LEFT JOIN cancelled AS x ON x.request_id = c.request_id
{continued}
ORDER BY c.msg_id
