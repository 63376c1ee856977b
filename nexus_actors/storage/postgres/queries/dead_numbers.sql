-- Like dead_list.sql, but only the numbers: the content of letters is not read.
SELECT d.msg_id AS number,
       least(greatest(d.enqueued_at, '0001-01-02 00:00:00+00'), '9999-12-30 00:00:00+00') AS dead_at
FROM pgmq.q_{dead} AS d
WHERE d.msg_id > $1::bigint AND ($2::bigint[] IS NULL OR d.msg_id = ANY ($2))
      AND ($3::float8 IS NULL OR d.enqueued_at < now() - make_interval(secs => $3))
ORDER BY d.msg_id
LIMIT $4
