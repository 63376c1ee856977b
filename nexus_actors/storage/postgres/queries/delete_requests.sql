-- Delete the messages $1 from the archive. Returns how many.
WITH gone AS (DELETE FROM pgmq.a_{requests} WHERE msg_id = ANY ($1::bigint[]) RETURNING 1)
SELECT count(*) FROM gone
