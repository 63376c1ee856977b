-- Foreign objects where ours belong, each with the fix. $1: the queues; $2: the columns of job_results that results are
-- written to, empty if this service does not write them. Reads only the catalogs, which every role may read.
WITH ours AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name,
           ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('nexus', 'pgmq') OR (n.nspname = 'public' AND c.relname = 'job_results')
)
SELECT 'the schema nexus holds what is not ours (' || string_agg(o.name, ', ' ORDER BY o.name)
       || '); nexus wants it for itself: ALTER SCHEMA nexus RENAME TO another_name, or use another database' AS what
FROM ours AS o
WHERE o.name LIKE 'nexus.%' AND NOT EXISTS (SELECT FROM ours AS m WHERE m.name = 'nexus.migrations' AND m.columns @> '{number,name}')
HAVING count(*) > 0
UNION ALL
SELECT 'the schema pgmq holds no PGMQ (it has no function pgmq.' || string_agg(f.name, ', pgmq.')
       || '): ALTER SCHEMA pgmq RENAME TO another_name, or use another database'
FROM unnest('{create,send,archive,delete}'::text[]) AS f (name)
WHERE to_regnamespace('pgmq') IS NOT NULL
      AND NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('pgmq') AND p.proname = f.name)
HAVING count(*) > 0
UNION ALL
SELECT 'the table ' || o.name || ' is no queue of PGMQ (its columns: ' || array_to_string(o.columns, ', ')
       || '): rename it, or give [queue] other names'
FROM unnest($1::text[]) AS q (name)
JOIN ours AS o ON o.name IN ('pgmq.q_' || q.name, 'pgmq.a_' || q.name)
WHERE NOT o.columns @> '{msg_id,read_ct,enqueued_at,vt,message}'
UNION ALL
SELECT 'the table public.job_results lacks '
       || string_agg('the column ' || w.name, ', ')
       || ', which results are written to: add what is missing as nexus_actors/storage/postgres/migrations/job_results.sql has it'
       || ' (ALTER TABLE public.job_results ADD COLUMN …), or set [result_poller] enabled = false'
FROM ours AS o
CROSS JOIN unnest($2::text[]) AS w (name)
WHERE o.name = 'public.job_results' AND NOT w.name = ANY (o.columns)
HAVING count(*) > 0
UNION ALL
SELECT 'the table public.job_results has no primary key and no unique index on id, by which a result is stored once:'
       || ' ALTER TABLE public.job_results ADD PRIMARY KEY (id)'
FROM ours AS o
WHERE o.name = 'public.job_results' AND cardinality($2::text[]) > 0 AND 'id' = ANY (o.columns)
      AND NOT EXISTS (SELECT FROM pg_index AS i
                      JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                      WHERE i.indrelid = o.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                            AND i.indpred IS NULL AND a.attname = 'id')
