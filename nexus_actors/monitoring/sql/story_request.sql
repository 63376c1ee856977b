-- The message of the request $1, number $2, from the archive, its first $3 characters; `bytes` of all of it. One of more than $4 bytes
-- is not opened: `fault` says why.
SELECT left(o.body, $3::integer) AS body, o.bytes, o.fault
FROM pgmq.a_{requests} AS a
CROSS JOIN LATERAL nexus.read_message(a.message, $4, false) AS o
WHERE a.msg_id = $2
      -- After a failover the number may be another's.
      AND to_jsonb($1::text) IN (a.message -> 'request_id', a.message #> '{request,request_id}')
