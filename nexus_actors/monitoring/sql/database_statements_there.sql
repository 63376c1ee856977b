-- The schema of pg_stat_statements. No row if it is not installed in this database.
SELECT n.nspname::text AS schema
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
