-- The request of the dead letter $1 as text, its first $2 characters; `bytes` is its full size. A larger one than $3 bytes is not opened;
-- `fault` says why. `edits`: who changed it, when, and which fields.
SELECT left(o.body, $2::integer) AS body, o.bytes, o.fault, e.edits
FROM pgmq.q_{dead} AS d
CROSS JOIN LATERAL (SELECT d.message #> '{}' AS letter OFFSET 0) AS p
CROSS JOIN LATERAL nexus.read_message(p.letter -> 'request', $3, false) AS o
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('at', a.edit -> 'at', 'by', left(a.edit ->> 'by', 256), 'changed', a.edit -> 'changed')
                     ORDER BY a.place) AS edits
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(p.letter -> 'edits') = 'array' THEN p.letter -> 'edits' ELSE '[]' END)
         WITH ORDINALITY AS a (edit, place)
    WHERE a.place <= 20 AND jsonb_typeof(a.edit) = 'object' AND pg_column_size(a.edit -> 'changed') < 10000
) AS e ON true
WHERE d.msg_id = $1 AND {weight_d} <= 268435456
