-- Like dead_retry.sql, but with the old id: the request of the dead letter $1 is sent unchanged, and its result will
-- supersede the error. A letter that cannot be sent stays: `why`. A request too large for its letter is in the archive.
WITH {letter},
opened AS MATERIALIZED (
    SELECT CASE WHEN jsonb_typeof(p.plain -> 'request_id') = 'string' THEN p.plain ->> 'request_id' END AS request_id,
           p.plain -> 'request' AS request,
           CASE WHEN jsonb_typeof(p.plain -> 'msg_id') = 'number' AND p.plain ->> 'msg_id' ~ '^[0-9]{1,18}$'
                THEN (p.plain ->> 'msg_id')::bigint END AS sent_as,
           CASE WHEN jsonb_typeof(p.plain -> 'archived_msg_id') = 'number'
                     AND p.plain ->> 'archived_msg_id' ~ '^[0-9]{1,18}$'
                THEN (p.plain ->> 'archived_msg_id')::bigint END AS archived,
           jsonb_typeof(p.plain) = 'object' AND p.plain ? 'result' AND NOT p.plain ? 'request' AS is_result,
           CASE WHEN jsonb_typeof(p.plain -> 'reason') = 'string' THEN left(p.plain ->> 'reason', 60) END AS reason
    FROM letter AS l
    CROSS JOIN LATERAL (SELECT l.message #> '{}' AS plain OFFSET 0) AS p
),
stored AS MATERIALIZED (
    SELECT a.message
    FROM pgmq.a_{requests} AS a
    CROSS JOIN opened AS o
    WHERE a.msg_id = ANY (ARRAY(SELECT archived FROM opened)) AND jsonb_typeof(o.request) = 'null'
          AND to_jsonb(o.request_id) IN (a.message -> 'request_id', a.message #> '{request,request_id}')
    LIMIT 1
),
fate AS MATERIALIZED (
    SELECT o.*, coalesce((SELECT message FROM stored), o.request) AS message,
           CASE WHEN o.is_result THEN 'it is a result, and holds no request'
                WHEN o.reason = 'duplicate_request' THEN 'its id is that of another message'
                WHEN o.request_id IS NULL OR length(o.request_id) NOT BETWEEN 1 AND 255 THEN 'its request has no id'
                WHEN jsonb_typeof(o.request) = 'object' OR EXISTS (SELECT FROM stored) THEN NULL
                WHEN jsonb_typeof(o.request) <> 'null' THEN 'its request is no object'
                WHEN o.archived IS NULL THEN 'it holds no request'
                ELSE 'its request was too large for a letter, and is no longer in the archive' END AS why
    FROM opened AS o
),
sent AS MATERIALIZED (
    SELECT s.msg_id, s.why
    FROM fate AS f
    CROSS JOIN LATERAL nexus.send_again('{requests}', f.request_id, f.sent_as, f.message) AS s
    WHERE f.why IS NULL
),
put_away AS MATERIALIZED (
    -- A message whose number is in the archive already can only be deleted.
    SELECT CASE WHEN EXISTS (SELECT FROM pgmq.a_{dead} AS a WHERE a.msg_id = $1)
                THEN pgmq.delete('{dead}', $1::bigint) ELSE pgmq.archive('{dead}', $1::bigint) END AS done
    FROM sent
    WHERE msg_id IS NOT NULL
)
SELECT left(f.request_id, 301) AS request_id, f.request_id AS new_id, f.archived, coalesce(f.why, (SELECT why FROM sent)) AS why,
       f.reason, f.is_result, (SELECT count(*) FROM put_away WHERE done) > 0 AS is_sent
FROM fate AS f
