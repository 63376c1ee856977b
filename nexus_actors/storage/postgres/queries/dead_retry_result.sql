-- Put the result in the dead letter $1 back into the results queue unchanged, and archive the letter. A result too large
-- for a letter comes from the archive; `is_sent` is false if it is not there, either. No row if the letter is gone or
-- locked.
WITH {letter},
opened AS MATERIALIZED (
    SELECT p.plain -> 'result' AS result, p.plain ->> 'digest' AS digest,
           CASE WHEN jsonb_typeof(p.plain -> 'archived_msg_id') = 'number'
                     AND p.plain ->> 'archived_msg_id' ~ '^[0-9]{1,18}$'
                THEN (p.plain ->> 'archived_msg_id')::bigint END AS archived,
           coalesce(p.plain #> '{result,request_id}', p.plain #> '{excerpt,request_id}') AS request_id
    FROM letter AS l
    CROSS JOIN LATERAL (SELECT l.message #> '{}' AS plain OFFSET 0) AS p
),
found AS MATERIALIZED (
    SELECT o.result FROM opened AS o WHERE jsonb_typeof(o.result) <> 'null'
    UNION ALL
    -- The number may be another result's by now: a sequence may be reset after a failover.
    SELECT a.message
    FROM opened AS o
    JOIN pgmq.a_{results} AS a ON a.msg_id = o.archived
    WHERE a.msg_id = ANY (ARRAY(SELECT archived FROM opened))
          AND jsonb_typeof(o.result) = 'null' AND to_hex(jsonb_hash_extended(a.message, 0)) = o.digest
),
sent AS MATERIALIZED (
    SELECT pgmq.send('{results}', f.result) AS msg_id FROM found AS f LIMIT 1
),
put_away AS MATERIALIZED (
    SELECT CASE WHEN EXISTS (SELECT FROM pgmq.a_{dead} AS a WHERE a.msg_id = $1)
                THEN pgmq.delete('{dead}', $1::bigint) ELSE pgmq.archive('{dead}', $1::bigint) END AS done
    FROM sent
)
SELECT CASE WHEN jsonb_typeof(o.request_id) = 'string' THEN left(o.request_id #>> '{}', 301) END AS request_id,
       (SELECT count(*) FROM put_away WHERE done) > 0 AS is_sent
FROM opened AS o
