-- The fields of message q that routing looks at, unwrapped. Null if they do not decide routing or cannot be read
-- quickly: the message is not an object, continues an answer, or has more than 64 KB. No value is converted to text.
CASE WHEN pg_column_size(q.message) <= 65536 THEN (
    SELECT CASE WHEN jsonb_typeof(h.fields) = 'object' AND NOT h.fields ? 'previous_response_id'
                THEN jsonb_build_array(h.fields -> 'provider', h.fields -> 'model', h.fields -> 'complexity', h.fields -> 'task_type',
                                       h.fields -> 'capabilities', CASE WHEN $4 THEN h.fields -> 'agent_id' END) END
    FROM (SELECT CASE WHEN jsonb_typeof(m.whole -> 'request') = 'object'
                           AND jsonb_typeof(m.whole -> 'request_id') IS DISTINCT FROM 'string'
                      THEN m.whole -> 'request' ELSE m.whole END AS fields
          FROM (SELECT q.message #> '{}' AS whole OFFSET 0) AS m
          OFFSET 0) AS h
) END
