-- The number of dead letters, up to $1, and how many of the newest arrived within a day.
SELECT count(*) AS letters, count(*) FILTER (WHERE d.enqueued_at > clock_timestamp() - interval '1 day') AS fresh
FROM (SELECT q.enqueued_at FROM pgmq.q_{dead} AS q ORDER BY q.msg_id DESC LIMIT $1) AS d
