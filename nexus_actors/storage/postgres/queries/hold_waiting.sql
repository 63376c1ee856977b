-- Make messages visible that `take_waiting` would take first: up to $2 of each of the lanes $1, and $3 whose timeout
-- has passed. This counts as a delivery. The journal is not touched, and `lease` will find them.
WITH free AS MATERIALIZED (
    SELECT picked.msg_id
    FROM unnest($1::text[], $2::integer[]) AS room (lane, places)
    CROSS JOIN LATERAL (
        SELECT q.msg_id
        FROM nexus.requests AS w
        CROSS JOIN LATERAL (
            SELECT q.msg_id
            FROM pgmq.q_{requests} AS q
            WHERE q.msg_id = w.msg_id AND q.read_ct = w.read_ct AND {same_w}
            FOR UPDATE SKIP LOCKED
        ) AS q
        WHERE w.state = 'waiting' AND w.queue = '{requests}' AND w.lane = room.lane AND w.read_ct < 2147483000
        ORDER BY w.msg_id
        LIMIT room.places
        FOR NO KEY UPDATE OF w SKIP LOCKED
    ) AS picked
),
expired AS MATERIALIZED (
    SELECT q.msg_id
    FROM nexus.requests AS w
    CROSS JOIN LATERAL (
        SELECT q.msg_id
        FROM pgmq.q_{requests} AS q
        WHERE q.msg_id = w.msg_id AND q.read_ct = w.read_ct AND {same_w}
        FOR UPDATE SKIP LOCKED
    ) AS q
    WHERE w.state = 'waiting' AND w.queue = '{requests}' AND w.deadline <= now() AND w.read_ct < 2147483000
    ORDER BY w.deadline
    LIMIT $3
    FOR NO KEY UPDATE OF w SKIP LOCKED
)
UPDATE pgmq.q_{requests} AS q
SET vt = clock_timestamp(), read_ct = q.read_ct + 1
WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM free UNION ALL SELECT msg_id FROM expired))
RETURNING q.msg_id
