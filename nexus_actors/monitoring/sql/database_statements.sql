-- Statements on our tables, by total time, at most $1. Times are in milliseconds. pg_stat_statements replaces values by parameters.
-- Statements of other roles are hidden, unless this role is in pg_read_all_stats.
SELECT s.calls, s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.max_exec_time AS max_ms, s.rows,
       s.shared_blks_read AS blocks_read, left(regexp_replace(left(s.query, 4000), '\s+', ' ', 'g'), 600) AS query
FROM pg_stat_statements AS s
JOIN pg_database AS d ON d.oid = s.dbid AND d.datname = current_database()
WHERE s.query ~ '(nexus|pgmq)\.|job_results'
ORDER BY s.total_exec_time DESC
LIMIT $1
