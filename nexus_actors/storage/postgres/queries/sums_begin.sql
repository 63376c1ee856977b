-- Begin to sum the queue $1, starting three hours ago; $2 as in sums_next.sql.
INSERT INTO nexus.sums_progress (queue, minutes_until, hours_until, hours_since)
SELECT $1, s.hour, s.hour, s.hour
FROM (SELECT date_trunc('hour', clock_timestamp() - make_interval(secs => $2) - interval '3 hours', 'UTC') AS hour) AS s
ON CONFLICT DO NOTHING
