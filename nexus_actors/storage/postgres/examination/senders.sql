-- What roles that may send requests lack: those with one of a producer's privileges that neither own the queue nor are
-- the service ($1: privileges on tables that make a service). Superusers lack nothing.
WITH queue AS (SELECT c.oid, c.relowner FROM pg_class AS c WHERE c.oid = to_regclass('pgmq.q_{requests}')),
sending AS (SELECT p.oid FROM pg_proc AS p WHERE p.oid = to_regprocedure('nexus.send(jsonb, integer, text)')),
senders AS (
    SELECT r.oid, r.rolname
    FROM pg_roles AS r, queue AS q
    WHERE NOT r.rolsuper AND r.rolname NOT LIKE 'pg\_%' AND r.oid <> q.relowner AND NOT pg_has_role(r.oid, q.relowner, 'USAGE')
          AND NOT has_table_privilege(r.oid, q.oid, 'UPDATE')
          AND (has_column_privilege(r.oid, q.oid, 'message', 'INSERT')
               OR EXISTS (SELECT FROM sending AS s WHERE has_function_privilege(r.oid, s.oid, 'EXECUTE')))
)
SELECT r.rolname::text AS role, array_agg(lacking.what ORDER BY lacking.what) AS lacking
FROM senders AS r
CROSS JOIN LATERAL (
    SELECT 'USAGE on schema ' || n.nspname AS what
    FROM pg_namespace AS n
    WHERE n.nspname IN ('pgmq', 'nexus') AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
    UNION ALL
    SELECT 'EXECUTE on nexus.send' FROM sending AS s WHERE NOT has_function_privilege(r.oid, s.oid, 'EXECUTE')
    UNION ALL
    SELECT 'SELECT on public.job_results'
    WHERE NOT has_table_privilege(r.oid, to_regclass('public.job_results'), 'SELECT')
) AS lacking
GROUP BY r.rolname
ORDER BY r.rolname
