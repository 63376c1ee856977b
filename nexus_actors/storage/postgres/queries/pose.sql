-- Give request $4 the lease of request $3: message $1, delivered $2 times. Only for a transaction that is rolled back
-- and tests whether another request could be ended. Request $4 may have ended, or may never have existed. $5: its
-- result.
-- Locks: the same as finish.sql.
WITH posed AS MATERIALIZED (
    UPDATE pgmq.q_{requests} AS q
    SET message = q.message || jsonb_build_object('request_id', $4::text, 'agent_id', $5::jsonb -> 'agent_id')
    WHERE q.msg_id = $1 AND (SELECT set_config('lock_timeout', '{lock_timeout}', true)) IS NOT NULL
    RETURNING q.msg_id
)
INSERT INTO nexus.requests AS r (request_id, queue, msg_id, read_ct, owner, state, digest, received_at, leased_at)
SELECT $4, h.queue, h.msg_id, h.read_ct, h.owner, h.state, h.digest, h.received_at, h.leased_at
FROM nexus.requests AS h
WHERE (SELECT count(*) FROM posed) >= 0 AND h.request_id = $3 AND h.msg_id = $1 AND h.read_ct = $2
ON CONFLICT (request_id) DO UPDATE
SET queue = excluded.queue, msg_id = excluded.msg_id, read_ct = excluded.read_ct, owner = excluded.owner,
    state = excluded.state, digest = excluded.digest, received_at = excluded.received_at, leased_at = excluded.leased_at
