-- Keep the result ($1, $2) (msg_id, read_ct) invisible for another $3 seconds, fenced. The reason $5 is recorded in the
-- journal with the request $4, if that exists.
WITH noted AS (
    UPDATE nexus.requests SET result_trouble = $5 WHERE request_id = $4 AND finished_at IS NOT NULL
)
UPDATE pgmq.q_{results} SET vt = clock_timestamp() + make_interval(secs => $3)
WHERE msg_id = $1 AND read_ct = $2
