-- Read up to $2 results of $4 bytes together, invisible to other readers for $1 seconds. A result of more than $3 bytes
-- is returned without its text, with the reason. `due`: how many were due when this began, at most $2.
SELECT r.msg_id, r.read_ct, r.body, r.fault,
       (SELECT count(*) FROM (SELECT FROM pgmq.q_{results} WHERE vt <= now() ORDER BY vt LIMIT $2) AS d) AS due
FROM nexus.read_results('{results}', $2, $1, $3, $4) AS r
ORDER BY r.msg_id
