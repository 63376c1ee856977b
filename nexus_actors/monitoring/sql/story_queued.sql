-- The same as story_request.sql for a request that has not ended: its message is still in the queue.
SELECT left(o.body, $3::integer) AS body, o.bytes, o.fault
FROM pgmq.q_{requests} AS q
CROSS JOIN LATERAL nexus.read_message(q.message, $4, false) AS o
WHERE q.msg_id = $2
      AND to_jsonb($1::text) IN (q.message -> 'request_id', q.message #> '{request,request_id}')
