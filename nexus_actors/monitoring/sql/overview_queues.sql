-- The lengths of the queues, counted up to $1, and how long the oldest visible message has been due, by the queue's index.
SELECT 'requests' AS queue,
       (SELECT count(*) FROM (SELECT 1 FROM pgmq.q_{requests} LIMIT $1::bigint) AS m) AS total,
       (SELECT count(*) FROM (SELECT 1 FROM pgmq.q_{requests} WHERE vt <= now() LIMIT $1::bigint) AS m) AS visible,
       (SELECT extract(epoch FROM now() - vt)::float8 FROM pgmq.q_{requests}
        WHERE vt <= now() AND vt >= '1970-01-01 00:00:00+00' ORDER BY vt LIMIT 1) AS due_seconds
UNION ALL
SELECT 'results', (SELECT count(*) FROM (SELECT 1 FROM pgmq.q_{results} LIMIT $1::bigint) AS m),
       (SELECT count(*) FROM (SELECT 1 FROM pgmq.q_{results} WHERE vt <= now() LIMIT $1::bigint) AS m),
       (SELECT extract(epoch FROM now() - vt)::float8 FROM pgmq.q_{results}
        WHERE vt <= now() AND vt >= '1970-01-01 00:00:00+00' ORDER BY vt LIMIT 1)
UNION ALL
SELECT 'dead', (SELECT count(*) FROM (SELECT 1 FROM pgmq.q_{dead} LIMIT $1::bigint) AS m), NULL, NULL
