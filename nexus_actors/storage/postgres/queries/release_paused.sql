-- Make up to $3 requests visible that wait for the end of a pause (column lane) that is not among $1 and so is over, or
-- for room at one of the providers $2, which are passed over now.
--
-- Every row is looked up by its key, as in finish.sql. The lanes are found one by one in their index, skipping
-- the requests in each.
-- Locks: queue rows in order of msg_id, skipping those that are locked, then journal rows in order of request_id.
WITH RECURSIVE lanes AS (
    (SELECT r.lane FROM nexus.requests AS r
     WHERE r.state = 'waiting' AND r.queue = '{requests}' ORDER BY r.lane LIMIT 1)
    UNION ALL
    SELECT (SELECT r.lane FROM nexus.requests AS r
            WHERE r.state = 'waiting' AND r.queue = '{requests}' AND r.lane > l.lane ORDER BY r.lane LIMIT 1)
    FROM lanes AS l
    WHERE l.lane IS NOT NULL
),
ended AS MATERIALIZED (
    SELECT w.request_id, w.msg_id, w.read_ct, w.received_at
    FROM lanes AS l
    CROSS JOIN LATERAL (
        SELECT r.request_id, r.msg_id, r.read_ct, r.received_at
        FROM nexus.requests AS r
        WHERE r.state = 'waiting' AND r.queue = '{requests}' AND r.lane = l.lane
        ORDER BY r.msg_id
        LIMIT $3
    ) AS w
    WHERE starts_with(l.lane, 'paused ') AND l.lane <> ALL ($1::text[]) OR l.lane = ANY ($2::text[])
    LIMIT $3
),
queued AS MATERIALIZED (
    SELECT q.msg_id, w.request_id
    FROM ended AS w
    JOIN pgmq.q_{requests} AS q ON q.msg_id = w.msg_id AND q.read_ct = w.read_ct AND {same_w}
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM ended))
    ORDER BY q.msg_id
    FOR UPDATE OF q SKIP LOCKED
),
held AS MATERIALIZED (
    SELECT r.request_id, r.msg_id
    FROM nexus.requests AS r
    JOIN queued AS f ON f.request_id = r.request_id
    WHERE (SELECT count(*) FROM queued) >= 0
          AND r.request_id = ANY (ARRAY(SELECT request_id FROM queued))
          AND r.msg_id = f.msg_id AND r.state IS NOT DISTINCT FROM 'waiting'
          AND (starts_with(r.lane, 'paused ') AND r.lane <> ALL ($1::text[]) OR r.lane = ANY ($2::text[]))
    ORDER BY r.request_id
    FOR UPDATE OF r
),
{released}
