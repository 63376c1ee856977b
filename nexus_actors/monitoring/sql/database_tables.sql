-- Our tables: sizes in bytes, the planner's estimate of rows (null: never analysed), dead rows, and times of the last vacuum and analyze.
-- `spare`: unused bytes of the heap, estimated from average column widths; null if this role cannot read those or the table was never
-- analysed. The tables themselves are not read.
WITH ours AS MATERIALIZED (
    SELECT c.oid, n.nspname AS schema, c.relname AS name, nullif(c.reltuples, -1)::float8 AS row_estimate,
           coalesce((SELECT o.option_value::float8 FROM pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'fillfactor'), 100)
               / 100 AS fill
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm')
          AND (n.nspname = 'nexus' OR n.nspname = 'pgmq' OR n.nspname = 'public' AND c.relname = 'job_results')
),
widths AS MATERIALIZED (
    SELECT s.schemaname, s.tablename, sum(s.avg_width * (1 - s.null_frac)) AS width
    FROM pg_stats AS s
    WHERE s.schemaname IN ('nexus', 'pgmq', 'public')
    GROUP BY s.schemaname, s.tablename
)
SELECT o.schema::text AS schema, o.name::text AS name, o.row_estimate,
       pg_total_relation_size(o.oid) AS bytes,
       pg_relation_size(o.oid) AS heap_bytes,
       pg_indexes_size(o.oid) AS index_bytes,
       coalesce(s.n_live_tup, 0) AS live_rows, coalesce(s.n_dead_tup, 0) AS dead_rows,
       greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed_at,
       greatest(s.last_analyze, s.last_autoanalyze) AS analyzed_at,
       -- 28 bytes: a row's header and its line pointer.
       greatest(pg_relation_size(o.oid) * o.fill - o.row_estimate * (w.width + 28), 0)::float8 AS spare
FROM ours AS o
LEFT JOIN pg_stat_all_tables AS s ON s.relid = o.oid
LEFT JOIN widths AS w ON w.schemaname = o.schema AND w.tablename = o.name
ORDER BY bytes DESC, o.schema, o.name
LIMIT $1
