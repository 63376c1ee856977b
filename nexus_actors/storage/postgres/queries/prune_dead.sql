-- Like prune_requests.sql, for dead letters. Retried letters leave gaps in the numbers, so the newest are counted.
SELECT msg_id AS key
FROM (SELECT msg_id, enqueued_at FROM pgmq.q_{dead} WHERE msg_id <> ALL ($4::bigint[])
      ORDER BY msg_id LIMIT 10 * $3::integer) AS oldest
WHERE ($1::float8 > 0 AND enqueued_at < now() - make_interval(secs => $1))
      OR ($2::bigint > 0 AND msg_id < (
          SELECT msg_id FROM pgmq.q_{dead} ORDER BY msg_id DESC OFFSET greatest($2 - 1, 0) LIMIT 1))
ORDER BY msg_id
LIMIT $3
