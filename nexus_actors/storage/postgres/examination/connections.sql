-- The limits and numbers of connections: of the server, of this role, of this database; -1: no limit. Without the
-- sessions of an examination ($1: their name), which will be gone.
SELECT current_setting('max_connections')::integer
       - current_setting('superuser_reserved_connections')::integer
       - coalesce(current_setting('reserved_connections', true)::integer, 0) AS server_most,
       (SELECT sum(numbackends) FROM pg_stat_database)::integer - own.count AS server_used,
       CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END AS role_most,
       (SELECT count(*) FROM pg_stat_activity AS a WHERE a.usename = current_user AND a.datname IS NOT NULL)::integer - own.count
           AS role_used,
       CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END AS database_most,
       (SELECT s.numbackends FROM pg_stat_database AS s WHERE s.datid = d.oid) - own.count AS database_used,
       quote_ident(r.rolname) AS role, quote_ident(d.datname) AS database
FROM pg_roles AS r
CROSS JOIN pg_database AS d
CROSS JOIN (SELECT count(*)::integer AS count FROM pg_stat_activity AS a
            WHERE a.usename = current_user AND a.application_name = $1) AS own
WHERE r.rolname = current_user AND d.datname = current_database()
