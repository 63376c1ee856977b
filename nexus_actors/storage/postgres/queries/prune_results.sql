-- Like prune_requests.sql, for the archive of results.
SELECT msg_id AS key
FROM (SELECT msg_id, archived_at FROM pgmq.a_{results} WHERE msg_id <> ALL ($4::bigint[])
      ORDER BY msg_id LIMIT 10 * $3::integer) AS oldest
WHERE ($1::float8 > 0 AND archived_at < now() - make_interval(secs => $1))
      OR ($2::bigint > 0 AND msg_id <= (SELECT max(msg_id) FROM pgmq.a_{results}) - $2)
ORDER BY msg_id
LIMIT $3
