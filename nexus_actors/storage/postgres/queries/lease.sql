-- Lease up to $3 visible messages for $2 seconds and claim their requests for instance $1. A message of more than $4 bytes
-- is leased without its text; of the others no more than take $5 bytes together, but one at least.
--
-- Read and claim are one statement, so that a lease and its journal row exist together or not at all.
-- What pgmq.read does, but by the index on vt and in its order: pgmq.read walks the queue by msg_id, past all that is
-- invisible, which takes 100 ms where a hundred thousand requests wait for a provider. First sent is still first read.
-- Locks: queue rows, skipping those that are locked, then journal rows in order of request_id.
WITH seen AS MATERIALIZED (
    SELECT q.msg_id, q.vt, pg_column_size(q.message) AS size
    FROM pgmq.q_{requests} AS q
    WHERE q.vt <= now()
    ORDER BY q.vt
    LIMIT $3
    FOR UPDATE SKIP LOCKED
),
due AS MATERIALIZED (
    SELECT msg_id
    FROM (SELECT msg_id, sum(size) FILTER (WHERE size <= $4) OVER (ORDER BY vt, msg_id) AS together, size,
                 row_number() OVER (ORDER BY vt, msg_id) AS place
          FROM seen) AS s
    WHERE place = 1 OR size > $4 OR together <= $5
),
taken AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp() + make_interval(secs => $2), read_ct = q.read_ct + 1
    FROM due
    WHERE q.msg_id = due.msg_id
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.message, pg_column_size(q.message) AS size
),
delivered AS MATERIALIZED (
    SELECT m.msg_id, m.read_ct, m.enqueued_at, m.size,
           -- What is stored compressed may be much longer as text.
           CASE WHEN m.size <= $4 AND octet_length(m.message::text) <= 4 * $4 THEN m.message::text END AS body,
           -- Only a JSON string of 1..255 characters identifies. The operators give NULL where the message
           -- is NULL, no object, or has no such key.
           CASE
               WHEN jsonb_typeof(m.message -> 'request_id') = 'string'
                   THEN m.message ->> 'request_id'
               WHEN jsonb_typeof(m.message -> 'request' -> 'request_id') = 'string'
                   THEN m.message -> 'request' ->> 'request_id'
           END AS read_id,
           -- A request that is sent again may come wrapped this time, and with the time of this sending.
           md5(CASE
               WHEN jsonb_typeof(m.message -> 'request') = 'object'
                   THEN (m.message -> 'request') - 'timestamp'
               WHEN jsonb_typeof(m.message) = 'object' THEN m.message - 'timestamp'
               ELSE m.message
           END::text) AS digest,
           -- Of the object that the request is read from: the inner one, unless the outer one has the id.
           CASE
               WHEN jsonb_typeof(m.message -> 'request') = 'object'
                    AND jsonb_typeof(m.message -> 'request_id') IS DISTINCT FROM 'string'
                   THEN m.message -> 'request' ->> 'previous_response_id'
               ELSE m.message ->> 'previous_response_id'
           END AS previous_id,
           left(m.message ->> 'retry_of', 255) AS retry_of
    FROM taken AS m
),
identified AS MATERIALIZED (
    SELECT d.*,
           CASE WHEN length(d.read_id) BETWEEN 1 AND 255 THEN d.read_id END AS request_id
    FROM delivered AS d
),
-- One statement may touch a journal row only once, so of several messages with one id in this batch one is the
-- candidate: the one the journal knows, else the first sent.
ranked AS MATERIALIZED (
    SELECT i.*, old.state AS old_state, old.owner AS old_owner, old.leased_at AS old_leased_at,
           row_number() OVER (
               PARTITION BY i.request_id
               ORDER BY (old.msg_id = i.msg_id AND old.queue = '{requests}') DESC NULLS LAST, i.msg_id
           ) AS rank
    FROM identified AS i
    LEFT JOIN nexus.requests AS old ON old.request_id = i.request_id
    WHERE i.request_id IS NOT NULL
),
-- A row that may not be claimed is written too, unchanged: only so does RETURNING tell what it says now. A row that
-- another process committed after this statement began is invisible to every other way of looking.
journal AS (
    INSERT INTO nexus.requests AS r (
        request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at,
        retry_of
    )
    SELECT request_id, '{requests}', msg_id, read_ct, $1, 'leased', digest, 1, enqueued_at, now(),
           retry_of
    FROM ranked
    WHERE rank = 1
    ORDER BY request_id
    ON CONFLICT (request_id) DO UPDATE SET
        (read_ct, owner, state, attempts, lane, leased_at) = (
            SELECT CASE WHEN ours THEN excluded.read_ct ELSE r.read_ct END,
                   CASE WHEN ours THEN excluded.owner ELSE r.owner END,
                   CASE WHEN ours THEN 'leased' ELSE r.state END,
                   CASE WHEN ours THEN r.attempts + 1 ELSE r.attempts END,
                   CASE WHEN ours THEN NULL ELSE r.lane END,
                   CASE WHEN ours THEN excluded.leased_at ELSE r.leased_at END
            FROM (
                SELECT r.queue = excluded.queue AND r.msg_id = excluded.msg_id
                       AND r.read_ct < excluded.read_ct
                       AND r.state IN ('leased', 'waiting', 'queued') AS ours
            ) AS test
        )
    RETURNING r.request_id, r.queue, r.msg_id, r.read_ct, r.state, r.digest, r.attempts,
              r.spared_attempts, r.used_candidates
),
-- A lease that ended without a word is an attempt that did: its process was killed, or too slow.
interrupted AS (
    INSERT INTO nexus.attempts (
        request_id, number, outcome, error, maybe_paid, owner, started_at
    )
    SELECT j.request_id, j.attempts - 1, 'interrupted', 'the lease ended without an outcome',
           true, c.old_owner, c.old_leased_at
    FROM journal AS j
    JOIN ranked AS c ON c.request_id = j.request_id AND c.rank = 1
    WHERE c.old_state = 'leased' AND j.attempts > 1
          AND j.state = 'leased' AND j.msg_id = c.msg_id AND j.read_ct = c.read_ct
    ORDER BY j.request_id
    ON CONFLICT DO NOTHING
)
SELECT i.msg_id, i.read_ct, i.body, i.size, i.enqueued_at, now() AS leased_at, i.request_id,
       CASE
           WHEN i.request_id IS NULL THEN 'unidentified'
           WHEN j.queue = '{requests}' AND j.msg_id = i.msg_id AND j.read_ct = i.read_ct
                AND j.state = 'leased' THEN 'claimed'
           WHEN j.digest = i.digest THEN 'duplicate'
           ELSE 'conflict'
       END AS verdict,
       greatest(j.attempts - 1, 0) AS attempts,
       j.spared_attempts, j.used_candidates, p.provider AS previous_provider, p.model AS previous_model,
       p.key_name AS previous_key
FROM identified AS i
LEFT JOIN journal AS j ON j.request_id = i.request_id
-- Who gave the answer that this request goes on with. Some servers give all answers the same id: the last one counts.
LEFT JOIN LATERAL (
    SELECT h.provider, h.model,
           (SELECT a.key_name FROM nexus.attempts AS a
            WHERE a.request_id = h.request_id AND a.outcome = 'ok'
            ORDER BY a.number DESC LIMIT 1) AS key_name
    FROM nexus.requests AS h
    WHERE md5(h.response_id) = md5(i.previous_id) AND h.response_id = i.previous_id
    ORDER BY h.finished_at DESC
    LIMIT 1
) AS p ON true
-- The message that the journal means, unfinished, but not the candidate: it was given back after this statement began.
-- It stays invisible until its time is over, and is then leased again.
WHERE NOT coalesce(
    j.queue = '{requests}' AND j.msg_id = i.msg_id AND j.read_ct <> i.read_ct
    AND j.state IN ('leased', 'waiting', 'queued'), false)
ORDER BY i.msg_id
