-- The numbers of the newest dead letters before the number $1 (null: of all), at most $2. Nothing of a letter is looked at.
SELECT d.msg_id AS number
FROM pgmq.q_{dead} AS d
WHERE d.msg_id < coalesce($1::bigint, 9223372036854775807)
ORDER BY d.msg_id DESC
LIMIT $2
