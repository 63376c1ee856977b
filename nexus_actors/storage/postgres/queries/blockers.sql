-- The sessions that block the session $1. A prepared transaction has no session and is shown as 0.
SELECT b.pid, CASE WHEN b.pid = 0 THEN 'a prepared transaction' ELSE coalesce(a.usename, 'an unknown role') END AS role,
       coalesce(a.application_name, '') AS name,
       a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS ours,
       extract(epoch FROM clock_timestamp() - greatest(a.backend_start, a.query_start, a.state_change))::float8 AS silent
FROM (SELECT DISTINCT unnest(pg_blocking_pids($1)) AS pid) AS b
LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
ORDER BY b.pid
