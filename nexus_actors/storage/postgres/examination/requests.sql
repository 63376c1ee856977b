-- The number of requests that nobody works on, up to $1, and how many seconds the oldest of the first ones has waited.
SELECT count(*) AS requests,
       extract(epoch FROM clock_timestamp() - min(d.enqueued_at) FILTER (WHERE d.enqueued_at > '1970-01-01 00:00:00+00'))::float8 AS oldest
FROM (SELECT q.enqueued_at FROM pgmq.q_{requests} AS q WHERE q.vt <= clock_timestamp() ORDER BY q.vt LIMIT $1) AS d
