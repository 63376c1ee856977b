-- PGMQ: the extension's version, null if installed from SQL; the server's newest version; whether messages have headers.
SELECT to_regnamespace('pgmq') IS NOT NULL AS there,
       (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'pgmq') AS version,
       (SELECT a.default_version FROM pg_available_extensions AS a WHERE a.name = 'pgmq') AS newest,
       EXISTS (SELECT FROM pg_proc AS p
               WHERE p.pronamespace = to_regnamespace('pgmq') AND p.proname = 'send' AND 'headers' = ANY (p.proargnames)) AS headers
