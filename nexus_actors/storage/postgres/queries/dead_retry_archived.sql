-- Like dead_retry.sql, if the request of the dead letter $1 is in the archive, under the number $2 and with the id $3:
-- send it again as $4. No row if it is not there, or if the letter is gone.
WITH letter AS MATERIALIZED (
    SELECT d.msg_id, {headers} AS headers
    FROM pgmq.q_{dead} AS d
    CROSS JOIN LATERAL (SELECT d.message #> '{}' AS plain OFFSET 0) AS p
    WHERE d.msg_id = $1
    FOR UPDATE OF d SKIP LOCKED
),
found AS MATERIALIZED (
    SELECT CASE WHEN jsonb_typeof(p.plain -> 'request') = 'object'
                     AND jsonb_typeof(p.plain -> 'request_id') IS DISTINCT FROM 'string'
                THEN p.plain -> 'request' ELSE p.plain END AS request
    FROM pgmq.a_{requests} AS a
    CROSS JOIN LATERAL (SELECT a.message #> '{}' AS plain OFFSET 0) AS p
    WHERE a.msg_id = $2 AND EXISTS (SELECT FROM letter)
          AND to_jsonb($3::text) IN (p.plain -> 'request_id', p.plain #> '{request,request_id}')
),
sent AS MATERIALIZED (
    SELECT pgmq.send('{requests}', f.request || jsonb_build_object('request_id', $4::text, 'retry_of', $3::text),
                     (SELECT headers FROM letter), 0) AS msg_id
    FROM found AS f
)
SELECT CASE WHEN EXISTS (SELECT FROM pgmq.a_{dead} AS a WHERE a.msg_id = $1)
            THEN pgmq.delete('{dead}', $1::bigint) ELSE pgmq.archive('{dead}', $1::bigint) END AS is_sent
FROM sent
