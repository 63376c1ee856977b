-- How many dead letters exist, up to $1.
SELECT count(*) AS letters FROM (SELECT FROM pgmq.q_{dead} AS d LIMIT $1) AS d
