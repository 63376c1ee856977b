-- Send the request of the dead letter $1 again, under a new, unpredictable id, and archive the letter. The request is
-- not converted to text. A letter that cannot be sent stays: `why`; or `archived`, the number under which it is in the
-- archive. No row if the letter is gone or locked: two simultaneous retries send it once. `is_result`: see
-- dead_retry_result.sql.
WITH {letter},
opened AS MATERIALIZED (
    SELECT l.msg_id,
           CASE WHEN jsonb_typeof(p.plain -> 'request_id') = 'string' THEN p.plain ->> 'request_id' END AS request_id,
            -- The inner id, if the request was wrapped without an outer id.
           CASE WHEN jsonb_typeof(p.plain #> '{request,request}') = 'object'
                     AND jsonb_typeof(p.plain #> '{request,request_id}') IS DISTINCT FROM 'string'
                THEN p.plain #> '{request,request}' ELSE p.plain -> 'request' END AS request,
           CASE WHEN jsonb_typeof(p.plain -> 'archived_msg_id') = 'number'
                     AND p.plain ->> 'archived_msg_id' ~ '^[0-9]{1,18}$'
                THEN (p.plain ->> 'archived_msg_id')::bigint END AS archived,
           CASE WHEN jsonb_typeof(p.plain -> 'reason') = 'string' THEN left(p.plain ->> 'reason', 60) END AS reason,
           jsonb_typeof(p.plain) = 'object' AND p.plain ? 'result' AS is_result,
           p.plain ? 'request' AS has_request, {headers} AS headers
    FROM letter AS l
    CROSS JOIN LATERAL (SELECT l.message #> '{}' AS plain OFFSET 0) AS p
),
fate AS MATERIALIZED (
    SELECT o.is_result AND NOT o.has_request AS is_result, o.msg_id, o.request_id, o.request, o.archived, o.headers, o.reason,
            -- Different requests with one id get different new ids. An earlier suffix of this kind is replaced.
           left(regexp_replace(left(o.request_id, 300), '~([0-9]+|[0-9a-f]{32,32})$', ''), 222)
           || '~' || replace(gen_random_uuid()::text, '-', '') AS new_id,
           CASE WHEN o.is_result THEN 'it is a result, and holds no request'
                WHEN o.request_id IS NULL AND o.reason = 'duplicate_request'
                THEN 'its request_id has its result already: give it another with nexus dead edit'
                WHEN o.request_id IS NULL OR length(o.request_id) NOT BETWEEN 1 AND 255 THEN 'its request has no id'
                WHEN jsonb_typeof(o.request) = 'object' THEN NULL
                WHEN o.request IS NOT NULL AND jsonb_typeof(o.request) <> 'null' THEN 'its request is no object'
                WHEN o.archived IS NULL THEN 'it holds no request' END AS why
    FROM opened AS o
),
sent AS MATERIALIZED (
    SELECT pgmq.send('{requests}', f.request || jsonb_build_object('request_id', f.new_id, 'retry_of', f.request_id), f.headers, 0)
           AS msg_id
    FROM fate AS f
    WHERE f.why IS NULL AND jsonb_typeof(f.request) = 'object'
),
put_away AS MATERIALIZED (
    -- A message whose number is in the archive already can only be deleted.
    SELECT CASE WHEN EXISTS (SELECT FROM pgmq.a_{dead} AS a WHERE a.msg_id = $1)
                THEN pgmq.delete('{dead}', $1::bigint) ELSE pgmq.archive('{dead}', $1::bigint) END AS done
    FROM sent
)
SELECT left(f.request_id, 301) AS request_id, f.new_id, f.archived, f.why, f.reason, f.is_result,
       (SELECT count(*) FROM put_away WHERE done) > 0 AS is_sent
FROM fate AS f
