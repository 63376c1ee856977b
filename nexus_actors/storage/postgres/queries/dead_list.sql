-- Dead letters, oldest first: of the numbers $1, the reason $2, the provider $3, older than $4 seconds (each null: any); at
-- most $5.
SELECT d.msg_id AS number, d.message ->> 'request_id' AS request_id, d.message ->> 'reason' AS reason,
       d.message #>> '{detail,provider}' AS provider, d.message #>> '{detail,message}' AS message,
       d.message #>> '{detail,path}' AS path, (d.message ->> 'attempts')::integer AS attempts,
       d.enqueued_at AS dead_at, d.message::text AS letter
FROM pgmq.q_{dead} AS d
WHERE ($1::bigint[] IS NULL OR d.msg_id = ANY ($1))
      AND ($2::text IS NULL OR d.message ->> 'reason' = $2)
      AND ($3::text IS NULL OR d.message #>> '{detail,provider}' = $3)
      AND ($4::float8 IS NULL OR d.enqueued_at < now() - make_interval(secs => $4))
ORDER BY d.msg_id
LIMIT $5
