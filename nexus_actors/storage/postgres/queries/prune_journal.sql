-- As prune_requests.sql, of the journal: requests that have ended, with their attempts. How many there are is what the
-- server's statistics say.
DELETE FROM nexus.requests
WHERE request_id IN (
    SELECT request_id
    FROM nexus.requests
    WHERE finished_at IS NOT NULL
          AND (($1::float8 > 0 AND finished_at < now() - make_interval(secs => $1))
               OR ($2::bigint > 0
                   AND (SELECT reltuples FROM pg_class WHERE oid = 'nexus.requests'::regclass) > $2))
    ORDER BY finished_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED)
