-- Our largest indexes, at most $1: bytes, scans since the server's statistics began, and whether the index is valid. An index whose build
-- was interrupted is not.
SELECT n.nspname::text AS schema, t.relname::text AS table, c.relname::text AS name, pg_relation_size(c.oid) AS bytes,
       coalesce(s.idx_scan, 0) AS scans, i.indisvalid AS valid
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_stat_all_indexes AS s ON s.indexrelid = i.indexrelid
WHERE n.nspname = 'nexus' OR n.nspname = 'pgmq' OR n.nspname = 'public' AND t.relname = 'job_results'
ORDER BY i.indisvalid, bytes DESC, n.nspname, c.relname
LIMIT $1
