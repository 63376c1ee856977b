-- As prune_requests.sql, of the dead letters.
DELETE FROM pgmq.q_{dead}
WHERE msg_id IN (
    SELECT msg_id
    FROM (SELECT msg_id, enqueued_at FROM pgmq.q_{dead} ORDER BY msg_id LIMIT 10 * $3::integer) AS oldest
    WHERE ($1::float8 > 0 AND enqueued_at < now() - make_interval(secs => $1))
          OR ($2::bigint > 0 AND msg_id <= (SELECT max(msg_id) FROM pgmq.q_{dead}) - $2)
    ORDER BY msg_id
    LIMIT $3)
