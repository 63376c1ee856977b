-- Delete of the archive up to $3 messages: older than $1 seconds, or beyond the $2 newest (0: whatever their age, number).
-- The $4 oldest of these stay: they were refused. Looks at the $5 oldest of the archive.
-- Looks at its oldest only, so that it is as quick where there is nothing to be deleted.
DELETE FROM pgmq.a_{results}
WHERE msg_id IN (
    SELECT msg_id
    FROM (SELECT msg_id, archived_at FROM pgmq.a_{results} ORDER BY msg_id LIMIT $5::bigint) AS oldest
    WHERE ($1::float8 > 0 AND archived_at < now() - make_interval(secs => $1))
          OR ($2::bigint > 0 AND msg_id <= (SELECT max(msg_id) FROM pgmq.a_{results}) - $2)
    ORDER BY msg_id
    OFFSET $4::bigint
    LIMIT $3::integer)
