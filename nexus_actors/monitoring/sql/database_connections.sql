-- Connections: how many the server allows (without those reserved for superusers), and how many it has, this database has, and we have.
SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
           - coalesce(current_setting('reserved_connections', true)::integer, 0) AS most,
       (SELECT sum(s.numbackends) FROM pg_stat_database AS s)::integer AS used,
       (SELECT s.numbackends FROM pg_stat_database AS s WHERE s.datname = current_database()) AS here,
       (SELECT count(*) FROM pg_stat_activity AS a
        WHERE a.datname = current_database() AND a.application_name LIKE 'nexus%')::integer AS ours,
       current_setting('server_version') AS version, current_database()::text AS database, current_user::text AS role,
       pg_database_size(current_database()) AS bytes
