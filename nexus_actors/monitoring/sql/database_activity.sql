-- Our sessions with a statement or transaction that has run for $2 seconds or more, longest first, at most $1. The server hides the
-- statements of other roles' sessions, unless this role is in pg_read_all_stats. Our statements pass values as parameters; string literals
-- are removed all the same.
SELECT a.pid, a.application_name AS name, a.usename::text AS role, a.state, a.wait_event_type, a.wait_event,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS statement_seconds,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
       cardinality(pg_blocking_pids(a.pid)) AS blockers,
       left(regexp_replace(regexp_replace(left(a.query, 4000), '''[^'']*(''|$)', '''…''', 'g'), '\s+', ' ', 'g'), 600) AS query
FROM pg_stat_activity AS a
WHERE a.datname = current_database() AND a.application_name LIKE 'nexus%' AND a.pid <> pg_backend_pid()
      AND (a.state IN ('active', 'fastpath function call') AND a.query_start < clock_timestamp() - make_interval(secs => $2)
           OR a.xact_start < clock_timestamp() - make_interval(secs => $2))
ORDER BY least(a.xact_start, a.query_start)
LIMIT $1
