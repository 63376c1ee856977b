-- The dead letter $1 as text if it has at most $2 bytes; if not, the reason.
SELECT o.body, o.bytes, o.fault
FROM pgmq.q_{dead} AS d
CROSS JOIN LATERAL nexus.read_message(d.message, $2, false) AS o
WHERE d.msg_id = $1
