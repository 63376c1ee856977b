-- Open what was held as ($1, $2) (msg_id, read_ct), its text up to $3 bytes, as `lease` does, and no more: the journal is not
-- touched, no row is written or locked. All is asked for, else the planner would leave it out.
SELECT o.request_id, {weight_q} AS weight, octet_length(o.body) AS bytes, md5(o.digest || o.previous_id || o.retry_of) AS digest
FROM pgmq.q_{requests} AS q
CROSS JOIN LATERAL nexus.read_message(q.message, $3) AS o
WHERE q.msg_id = $1 AND q.read_ct = $2
