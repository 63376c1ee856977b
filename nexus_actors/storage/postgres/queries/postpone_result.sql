-- The result ($1, $2) (msg_id, read_ct) stays invisible for $3 seconds more, fenced.
UPDATE pgmq.q_{results} SET vt = clock_timestamp() + make_interval(secs => $3)
WHERE msg_id = $1 AND read_ct = $2
