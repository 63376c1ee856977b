-- The archived message of the request $1 with the msg_id $2, its first $3 characters; `bytes` is its full size. A larger one than $4 bytes
-- is not opened; `fault` says why.
SELECT left(o.body, $3::integer) AS body, o.bytes, o.fault
FROM pgmq.a_{requests} AS a
CROSS JOIN LATERAL nexus.read_message(a.message, $4, false) AS o
WHERE a.msg_id = $2
      -- After a failover, the number may belong to another message.
      AND to_jsonb($1::text) IN (a.message -> 'request_id', a.message #> '{request,request_id}')
