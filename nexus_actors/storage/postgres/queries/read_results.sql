-- Read up to $2 results, invisible to other readers for $1 seconds.
SELECT msg_id, read_ct, message::text AS body
FROM pgmq.read('{results}', $1, $2)
ORDER BY msg_id
