-- The missing parts of the schema, of the tables $1 (schema and name each). Reads only the catalogs, which every role
-- may read.
SELECT 'the schema pgmq' AS what WHERE to_regnamespace('pgmq') IS NULL
UNION ALL
SELECT 'the table ' || w.name
FROM unnest($1::text[]) AS w (name)
WHERE NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                  WHERE n.nspname || '.' || c.relname = w.name)
UNION ALL
SELECT 'the revocation of nexus.' || p.proname || ' from PUBLIC'
FROM pg_proc AS p
WHERE p.pronamespace = to_regnamespace('nexus')
      AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0))
