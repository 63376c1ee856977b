-- Send the requests of the dead letters $1 again, each under an id of its own, and archive the letters. One whose request
-- has no id, or whose id would become too long, stays. Two who retry at once send each letter once.
WITH letter AS MATERIALIZED (
    SELECT d.msg_id, d.message ->> 'request_id' AS request_id,
           CASE WHEN jsonb_typeof(d.message #> '{request,request}') = 'object'
                     AND jsonb_typeof(d.message #> '{request,request_id}') IS DISTINCT FROM 'string'
                THEN d.message #> '{request,request}' ELSE d.message -> 'request' END AS request
    FROM pgmq.q_{dead} AS d
    WHERE d.msg_id = ANY ($1)
    ORDER BY d.msg_id
    FOR UPDATE SKIP LOCKED
),
fit AS MATERIALIZED (
    SELECT l.msg_id, l.request_id, l.request,
           regexp_replace(l.request_id, '~[0-9]+$', '') || '~' || l.msg_id AS new_id
    FROM letter AS l
    WHERE jsonb_typeof(l.request) = 'object' AND l.request_id IS NOT NULL
          AND length(regexp_replace(l.request_id, '~[0-9]+$', '') || '~' || l.msg_id) <= 255
),
sent AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT array_agg(
                     f.request || jsonb_build_object('request_id', f.new_id, 'retry_of', f.request_id)
                     ORDER BY f.msg_id) AS messages
          FROM fit AS f) AS batch
    CROSS JOIN LATERAL pgmq.send_batch('{requests}', batch.messages)
    WHERE batch.messages IS NOT NULL
),
archived AS MATERIALIZED (
    SELECT count(*) FROM pgmq.archive('{dead}', ARRAY(SELECT msg_id FROM fit ORDER BY 1))
)
SELECT f.msg_id AS number, f.request_id, f.new_id
FROM fit AS f
WHERE (SELECT count FROM sent) >= 0 AND (SELECT count FROM archived) >= 0
ORDER BY f.msg_id
