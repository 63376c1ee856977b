-- Numbers of the newest dead letters below the number $1 (null: no bound), at most $2. No letter is opened.
SELECT d.msg_id AS number
FROM pgmq.q_{dead} AS d
WHERE d.msg_id < coalesce($1::bigint, 9223372036854775807)
ORDER BY d.msg_id DESC
LIMIT $2
