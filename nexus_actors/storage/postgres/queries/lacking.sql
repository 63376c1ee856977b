-- The privileges that the role of this session lacks, of $2 on the tables $1 (schema and name each) and on our
-- functions.
SELECT 'USAGE on schema ' || n.nspname AS what
FROM pg_namespace AS n
WHERE n.nspname IN ('pgmq', 'nexus') AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT w.privilege || ' on ' || w.name
FROM unnest($1::text[], $2::text[]) AS w (name, privilege)
JOIN pg_namespace AS n ON n.nspname = split_part(w.name, '.', 1)
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = split_part(w.name, '.', 2)
WHERE NOT CASE WHEN w.privilege = 'DELETE' THEN has_table_privilege(c.oid, w.privilege)
               ELSE has_any_column_privilege(c.oid, w.privilege) END
UNION ALL
SELECT 'EXECUTE on nexus.' || p.proname
FROM pg_proc AS p
WHERE p.pronamespace = to_regnamespace('nexus') AND NOT p.prosecdef AND p.prorettype <> 'trigger'::regtype
      AND NOT has_function_privilege(p.oid, 'EXECUTE')
