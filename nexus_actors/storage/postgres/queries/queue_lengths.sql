-- How many messages each of the service's queues holds, how many of them are visible now, and how many seconds ago the oldest was
-- sent. A time that no message can have been sent at does not count.
SELECT queue, total, visible, extract(epoch FROM clock_timestamp() - oldest)::float8 AS oldest_seconds
FROM (
    SELECT '{requests}' AS queue, count(*) AS total, count(*) FILTER (WHERE vt <= clock_timestamp()) AS visible,
           min(enqueued_at) FILTER (WHERE enqueued_at BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp()) AS oldest
    FROM pgmq.q_{requests}
    UNION ALL
    SELECT '{results}', count(*), count(*) FILTER (WHERE vt <= clock_timestamp()),
           min(enqueued_at) FILTER (WHERE enqueued_at BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp())
    FROM pgmq.q_{results}
    UNION ALL
    SELECT '{dead}', count(*), count(*) FILTER (WHERE vt <= clock_timestamp()),
           min(enqueued_at) FILTER (WHERE enqueued_at BETWEEN '1970-01-01 00:00:00+00' AND clock_timestamp())
    FROM pgmq.q_{dead}
) AS lengths
