-- Lease for instance $1 the requests $2 (messages $3), for which it has answers: other holders lose their leases.
-- Requests that have ended are left alone. The wait for locks is as short as in finish.sql.
WITH held AS MATERIALIZED (
    SELECT r.request_id
    FROM nexus.requests AS r
    JOIN unnest($2::text[], $3::bigint[]) AS i (request_id, msg_id)
      ON i.request_id = r.request_id AND i.msg_id = r.msg_id
    WHERE (SELECT set_config('lock_timeout', '{lock_timeout}', true)) IS NOT NULL AND r.request_id = ANY ($2)
          AND r.queue = '{requests}' AND r.state IN ('leased', 'waiting', 'queued')
    ORDER BY r.request_id
    FOR UPDATE OF r
)
UPDATE nexus.requests AS r
SET owner = $1, state = 'leased', lane = NULL
FROM held AS h
WHERE r.request_id = h.request_id AND r.request_id = ANY ($2)
RETURNING r.request_id, r.msg_id, r.read_ct
