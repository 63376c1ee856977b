-- The next $3 messages to delete from the archive: older than $1 seconds, or beyond the $2 newest (0: no limit), without
-- those in $4. Reads only the oldest ones, so that it is fast even if there is nothing to delete.
SELECT msg_id AS key
FROM (SELECT msg_id, archived_at FROM pgmq.a_{requests} WHERE msg_id <> ALL ($4::bigint[])
      ORDER BY msg_id LIMIT 10 * $3::integer) AS oldest
WHERE ($1::float8 > 0 AND archived_at < now() - make_interval(secs => $1))
      OR ($2::bigint > 0 AND msg_id <= (SELECT max(msg_id) FROM pgmq.a_{requests}) - $2)
ORDER BY msg_id
LIMIT $3
