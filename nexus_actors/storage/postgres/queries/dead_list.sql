-- The next dead letters after the number $1, at most $4: of the numbers $2, older than $3 seconds (null: any). Unordered.
--
-- Returns a few fields, cut short. A letter may be anything and huge as text, so only scalars are converted to text, and
-- the number of letters is limited by their size when decompressed. Each is decompressed once.
WITH seen AS MATERIALIZED (
    SELECT d.msg_id, d.enqueued_at, d.message,
           {weight_d} AS weight
    FROM pgmq.q_{dead} AS d
    WHERE d.msg_id > $1::bigint AND ($2::bigint[] IS NULL OR d.msg_id = ANY ($2))
          AND ($3::float8 IS NULL OR d.enqueued_at < now() - make_interval(secs => $3))
    ORDER BY d.msg_id
    LIMIT $4
),
few AS MATERIALIZED (
    SELECT *
    FROM (SELECT *, sum(weight) OVER first AS together, row_number() OVER first AS place
          FROM seen WINDOW first AS (ORDER BY msg_id)) AS s
    WHERE place = 1 OR together <= 268435456
)
SELECT f.msg_id AS number,
       -- A time within the range of a datetime.
       least(greatest(f.enqueued_at, '0001-01-02 00:00:00+00'), '9999-12-30 00:00:00+00') AS dead_at,
       shown.texts
FROM few AS f
CROSS JOIN LATERAL (SELECT f.message #> '{}' AS letter OFFSET 0) AS plain
CROSS JOIN LATERAL (
    SELECT array_agg(
        CASE WHEN jsonb_typeof(v.value) IN ('string', 'number', 'boolean') THEN left(v.value #>> '{}', 301) END
        ORDER BY v.place) AS texts
    FROM (VALUES (1, coalesce(nullif(plain.letter -> 'request_id', 'null'), plain.letter #> '{result,request_id}',
                              plain.letter #> '{excerpt,request_id}',
                              -- What is about another message of the same id names it only there.
                              plain.letter #> '{request,request_id}', plain.letter #> '{request,request,request_id}')),
                 (2, plain.letter -> 'reason'),
                 (3, coalesce(plain.letter #> '{detail,provider}', plain.letter #> '{result,provider}',
                              plain.letter #> '{excerpt,provider}')),
                 (4, plain.letter #> '{detail,message}'), (5, plain.letter #> '{detail,path}'), (6, plain.letter -> 'attempts'),
                 (7, to_jsonb(jsonb_typeof(plain.letter) = 'object' AND plain.letter ? 'result'
                              AND NOT plain.letter ? 'request'))) AS v (place, value)
) AS shown
