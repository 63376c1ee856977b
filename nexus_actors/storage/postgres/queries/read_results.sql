-- Read up to $2 results of $4 bytes together, invisible to other readers for $1 seconds. One of more than $3 bytes comes without
-- its text, and with the reason. `due`: how many could have been read when this began, $2 at most.
SELECT r.msg_id, r.read_ct, r.body, r.fault,
       (SELECT count(*) FROM (SELECT FROM pgmq.q_{results} WHERE vt <= now() ORDER BY vt LIMIT $2) AS d) AS due
FROM nexus.read_results('{results}', $2, $1, $3, $4) AS r
ORDER BY r.msg_id
