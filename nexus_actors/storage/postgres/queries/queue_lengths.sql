-- How many messages each of the service's queues holds, and how many of them are visible now.
SELECT queue, total, visible
FROM (
    SELECT '{requests}' AS queue, count(*) AS total, count(*) FILTER (WHERE vt <= clock_timestamp()) AS visible
    FROM pgmq.q_{requests}
    UNION ALL
    SELECT '{results}', count(*), count(*) FILTER (WHERE vt <= clock_timestamp()) FROM pgmq.q_{results}
    UNION ALL
    SELECT '{dead}', count(*), count(*) FILTER (WHERE vt <= clock_timestamp()) FROM pgmq.q_{dead}
) AS lengths
