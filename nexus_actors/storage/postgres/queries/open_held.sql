-- Open the held message ($1, $2) (msg_id, read_ct), with a text of up to $3 bytes, as `lease` does, but without
-- touching the journal, and without writing or locking a row. All columns are selected: otherwise the planner would not
-- compute them.
SELECT o.request_id, {weight_q} AS weight, octet_length(o.body) AS bytes, md5(o.digest || o.previous_id || o.retry_of) AS digest
FROM pgmq.q_{requests} AS q
CROSS JOIN LATERAL nexus.read_message(q.message, $3) AS o
WHERE q.msg_id = $1 AND q.read_ct = $2
