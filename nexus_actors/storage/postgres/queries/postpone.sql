-- Keep the held message ($2, $3) (msg_id, read_ct) invisible for $1 seconds from now.
UPDATE pgmq.q_{requests} AS q
SET vt = clock_timestamp() + make_interval(secs => $1)
WHERE q.msg_id = $2 AND q.read_ct = $3
RETURNING q.msg_id
