-- The server's version and settings, and how this session may use it.
SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version,
       pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only,
       (SELECT s.source FROM pg_settings AS s WHERE s.name = 'default_transaction_read_only') AS source,
       quote_ident(current_database()) AS database, quote_ident(current_user) AS role,
       extract(epoch FROM clock_timestamp())::float8 AS clock
