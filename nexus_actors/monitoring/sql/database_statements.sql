-- Statements on our tables by the time that they took in all, at most $1; times in milliseconds. pg_stat_statements has put parameters
-- in place of their values. Those of other roles are hidden from this one, unless it is in pg_read_all_stats.
SELECT s.calls, s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.max_exec_time AS max_ms, s.rows,
       s.shared_blks_read AS blocks_read, left(regexp_replace(left(s.query, 4000), '\s+', ' ', 'g'), 600) AS query
FROM pg_stat_statements AS s
JOIN pg_database AS d ON d.oid = s.dbid AND d.datname = current_database()
WHERE s.query ~ '(nexus|pgmq)\.|job_results'
ORDER BY s.total_exec_time DESC
LIMIT $1
