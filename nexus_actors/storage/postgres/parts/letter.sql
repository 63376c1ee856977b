-- The dead letter $1, locked; no row if it is gone, or another statement works on it.
letter AS MATERIALIZED (
    SELECT d.msg_id, d.message
    FROM pgmq.q_{dead} AS d
    WHERE d.msg_id = $1
    FOR UPDATE SKIP LOCKED
)
