-- What keeps vacuum from removing dead rows, oldest first, at most $1: transactions, prepared transactions, replication slots.
-- `transactions`: its age in transaction ids. Of other roles' sessions, only those that this role may see.
SELECT h.kind, h.name, h.since, h.transactions
FROM (
    SELECT 'transaction' AS kind, a.application_name || ' (pid ' || a.pid || ', ' || a.usename || ')' AS name, a.xact_start AS since,
           greatest(age(a.backend_xmin), age(a.backend_xid)) AS transactions
    FROM pg_stat_activity AS a
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.pid <> pg_backend_pid()
          AND a.xact_start < clock_timestamp() - interval '60 s'
    UNION ALL
    SELECT 'prepared transaction', p.gid || ' (' || p.owner || ')', p.prepared, age(p.transaction)
    FROM pg_prepared_xacts AS p
    UNION ALL
    SELECT CASE WHEN s.active THEN 'replication slot' ELSE 'replication slot that nobody reads' END, s.slot_name::text, NULL::timestamptz,
           greatest(age(s.xmin), age(s.catalog_xmin))
    FROM pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL OR NOT s.active
) AS h
ORDER BY h.transactions DESC NULLS LAST, h.since
LIMIT $1
