-- The result ($1, $2) (msg_id, read_ct) stays invisible for $3 seconds more, fenced. Why, $5, is noted in the journal with the
-- request $4, if there is one.
WITH noted AS (
    UPDATE nexus.requests SET result_trouble = $5 WHERE request_id = $4 AND finished_at IS NOT NULL
)
UPDATE pgmq.q_{results} SET vt = clock_timestamp() + make_interval(secs => $3)
WHERE msg_id = $1 AND read_ct = $2
