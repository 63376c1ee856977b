-- The numbers of the last dead letters before the number $1, $4 at most: of the numbers $2, older than $3 seconds (each null: any).
-- Nothing of a letter is looked at.
SELECT d.msg_id AS number
FROM pgmq.q_{dead} AS d
WHERE d.msg_id < $1::bigint AND ($2::bigint[] IS NULL OR d.msg_id = ANY ($2))
      AND ($3::float8 IS NULL OR d.enqueued_at < now() - make_interval(secs => $3))
ORDER BY d.msg_id DESC
LIMIT $4
