-- The holders of the advisory lock whose halves are $1 and $2 (and $3: 1 for a key of one number, 2 for one of two).
-- The name and times of another role's session are hidden from most roles. If the server does not track activities,
-- they are stale and left out.
SELECT coalesce(l.pid, 0) AS pid,
       CASE WHEN l.pid IS NULL THEN 'a prepared transaction' ELSE coalesce(a.usename, 'an unknown role') END AS role,
       coalesce(a.application_name, '') AS name,
       a.usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS ours,
       CASE WHEN a.state <> 'disabled'
            THEN extract(epoch FROM clock_timestamp() - greatest(a.backend_start, a.query_start, a.state_change))::float8
       END AS silent
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid AND l.objsubid = $3
      AND l.pid IS DISTINCT FROM pg_backend_pid()
ORDER BY l.pid
