-- How many sessions we have, and how many of them have statements that the server hides from this role.
SELECT count(*) AS sessions, count(*) FILTER (WHERE NOT (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_read_all_stats', 'USAGE'))) AS hidden
FROM pg_stat_activity AS a
WHERE a.datname = current_database() AND a.application_name LIKE 'nexus%'
