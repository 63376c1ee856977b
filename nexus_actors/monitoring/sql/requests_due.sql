-- How many messages are visible, up to $1.
SELECT count(*) AS requests
FROM (SELECT FROM pgmq.q_{requests} AS q WHERE q.vt <= clock_timestamp() LIMIT $1) AS q
