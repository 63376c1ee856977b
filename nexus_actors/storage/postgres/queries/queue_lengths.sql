-- For each of the service's queues: the number of messages, the number of visible ones, the age of the oldest in seconds,
-- and how long one has been visible. A time that no message can have is ignored.
SELECT queue, total, visible, extract(epoch FROM clock_timestamp() - oldest)::float8 AS oldest_seconds,
       extract(epoch FROM clock_timestamp() - due)::float8 AS due_seconds
FROM (
    SELECT '{requests}' AS queue, count(*) AS total, count(*) FILTER (WHERE vt <= clock_timestamp()) AS visible,
           min(enqueued_at) FILTER (WHERE enqueued_at BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp()) AS oldest,
           min(vt) FILTER (WHERE vt BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp()) AS due
    FROM pgmq.q_{requests}
    UNION ALL
    SELECT '{results}', count(*), count(*) FILTER (WHERE vt <= clock_timestamp()),
           min(enqueued_at) FILTER (WHERE enqueued_at BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp()),
           min(vt) FILTER (WHERE vt BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp())
    FROM pgmq.q_{results}
    UNION ALL
    SELECT '{dead}', count(*), count(*) FILTER (WHERE vt <= clock_timestamp()),
           min(enqueued_at) FILTER (WHERE enqueued_at BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp()),
           min(vt) FILTER (WHERE vt BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp())
    FROM pgmq.q_{dead}
) AS lengths
