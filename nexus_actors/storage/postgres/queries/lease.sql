-- Lease up to $3 visible messages for $2 seconds and claim their requests for instance $1. A message of more than $4
-- bytes is returned without its text. The texts of the others have at most $5 bytes together, but at least one is
-- returned.
--
-- Read and claim are one statement, so that a lease and its journal row exist together or not at all. The same as
-- pgmq.read, but by an index on the time at which a message is due, and in that order. pgmq.read scans the queue by
-- msg_id, past all invisible messages, which takes 100 ms if a hundred thousand requests wait. First sent is still
-- first read. Every row is looked up by a list of keys, in addition to the join with the same condition, as in
-- finish.sql. A producer may have written anything into a row, so no value of it may make this statement fail.
-- Locks: queue rows, skipping those that are locked, then journal rows in order of request_id. A message whose journal
-- row is locked is skipped for a second.
WITH seen AS MATERIALIZED (
    SELECT q.msg_id, {due} AS due, q.read_ct, q.message,
           {weight} AS weight
    FROM pgmq.q_{requests} AS q
    WHERE {which}
    ORDER BY {order}
    LIMIT $3
    FOR UPDATE SKIP LOCKED
),
few AS MATERIALIZED (
    SELECT *
    FROM (SELECT *, sum(weight) OVER first_come AS together, row_number() OVER first_come AS place
          FROM seen
          WHERE {turn}
          WINDOW first_come AS (ORDER BY due, msg_id)) AS s
    -- Numbers of this many bytes take half a second, anything else takes less.
    WHERE place = 1 OR together <= 8388608
),
opened AS MATERIALIZED (
    SELECT f.msg_id, f.read_ct, f.due, o.*
    FROM few AS f
    CROSS JOIN LATERAL {opened} AS o
),
identified AS MATERIALIZED (
    SELECT o.*, old.state AS old_state, old.owner AS old_owner, old.leased_at AS old_leased_at,
           coalesce(old.queue = '{requests}' AND old.msg_id = o.msg_id, false) AS known,
           -- Greater than any before, whatever the row says. Long before the type's limit, it starts again.
           CASE WHEN old.queue = '{requests}' AND old.msg_id = o.msg_id AND old.read_ct BETWEEN 0 AND 2147483000
                THEN old.read_ct ELSE 0 END AS old_read_ct
    FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY due, msg_id) AS together,
                 row_number() OVER (ORDER BY due, msg_id) AS place
          FROM opened) AS o
    LEFT JOIN nexus.requests AS old
         ON old.request_id = o.request_id AND old.request_id = ANY (ARRAY(SELECT request_id FROM opened))
    WHERE o.place = 1 OR o.body IS NULL OR o.together <= $5
),
-- Existing journal rows are locked before they are written, so that a locked one does not block the others.
free AS MATERIALIZED (
    SELECT r.request_id
    FROM nexus.requests AS r
    WHERE r.request_id = ANY (ARRAY(SELECT request_id FROM identified WHERE old_state IS NOT NULL))
    ORDER BY r.request_id
    FOR NO KEY UPDATE OF r SKIP LOCKED
),
taken AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp() + make_interval(secs => CASE WHEN i.locked THEN 1 ELSE $2 END),
        read_ct = CASE WHEN i.locked THEN q.read_ct
                       ELSE greatest(CASE WHEN q.read_ct BETWEEN 0 AND 2147483000 THEN q.read_ct END, i.old_read_ct) + 1 END
    FROM (SELECT msg_id, old_read_ct, old_state IS NOT NULL AND request_id NOT IN (SELECT request_id FROM free) AS locked
          FROM identified) AS i
    WHERE q.msg_id = i.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM identified))
    -- A time within the range of a datetime, and not in the future.
    RETURNING q.msg_id, q.read_ct, i.locked, nexus.traceparent(q.headers) AS traceparent,
              least(greatest(q.enqueued_at, '1970-01-01 00:00:00+00'), now()) AS enqueued_at
),
delivered AS MATERIALIZED (
    SELECT t.read_ct, t.locked, t.enqueued_at, t.traceparent, i.msg_id, i.body, i.bytes, i.fault, i.request_id, i.digest,
           i.previous_id, i.retry_of, i.agent_id, i.complexity, i.task_type, i.old_state, i.old_owner, i.old_leased_at, i.known
    FROM taken AS t
    JOIN identified AS i ON i.msg_id = t.msg_id
),
-- One statement may touch a journal row only once, so of several messages with one id in this batch one is the
-- candidate: the one the journal knows, else the first sent.
ranked AS MATERIALIZED (
    SELECT d.*, row_number() OVER (PARTITION BY d.request_id ORDER BY d.known DESC, d.msg_id) AS rank
    FROM delivered AS d
    WHERE d.request_id IS NOT NULL AND NOT d.locked
),
-- A row that cannot be claimed is written, too, unchanged, so that RETURNING shows its current values. A row that
-- another process has committed after this statement began is visible in no other way.
journal AS (
    INSERT INTO nexus.requests AS r (
        request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at,
        retry_of, agent_id, complexity, task_type, traceparent
    )
    SELECT request_id, '{requests}', msg_id, read_ct, $1, 'leased', digest, 1, enqueued_at, now(),
           retry_of, agent_id, complexity, task_type, traceparent
    FROM ranked
    WHERE rank = 1
    ORDER BY request_id
    ON CONFLICT (request_id) DO UPDATE SET
        (read_ct, owner, state, attempts, lane, leased_at, first_leased_at, digest, agent_id, complexity, task_type, traceparent) = (
            SELECT CASE WHEN ours THEN excluded.read_ct ELSE r.read_ct END,
                   CASE WHEN ours THEN excluded.owner ELSE r.owner END,
                   CASE WHEN ours THEN 'leased' ELSE r.state END,
                   CASE WHEN ours THEN r.attempts + 1 ELSE r.attempts END,
                   CASE WHEN ours THEN NULL ELSE r.lane END,
                   CASE WHEN ours THEN excluded.leased_at ELSE r.leased_at END,
                   -- A request that was sent again under its id has none yet.
                   CASE WHEN ours THEN coalesce(r.first_leased_at, excluded.leased_at) ELSE r.first_leased_at END,
                   -- A text that was not read then may be read now, and has more information.
                   CASE WHEN ours AND r.digest LIKE '%:%' THEN excluded.digest ELSE r.digest END,
                   coalesce(r.agent_id, CASE WHEN ours THEN excluded.agent_id END),
                   coalesce(r.complexity, CASE WHEN ours THEN excluded.complexity END),
                   coalesce(r.task_type, CASE WHEN ours THEN excluded.task_type END),
                   coalesce(r.traceparent, CASE WHEN ours THEN excluded.traceparent END)
            FROM (
                SELECT r.queue = excluded.queue AND r.msg_id = excluded.msg_id
                       AND (r.read_ct < excluded.read_ct OR r.read_ct > 2147483000)
                       AND r.state IN ('leased', 'waiting', 'queued') AS ours
            ) AS test
        )
    RETURNING r.request_id, r.queue, r.msg_id, r.read_ct, r.state, r.digest, r.attempts,
              r.spared_attempts, r.used_candidates, r.first_leased_at, coalesce(r.sent_again_after, 0) AS earlier_attempts,
              r.traceparent, r.wait_reason, r.wait_detail, r.wait_since
),
-- A lease that ended without a report is an attempt that did: its process was killed, or too slow.
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
),
cancelled AS MATERIALIZED (
    SELECT c.request_id, coalesce(c.by, '') AS by, c.why
    FROM nexus.cancellations AS c
    WHERE c.request_id = ANY (ARRAY(SELECT request_id FROM delivered))
)
SELECT (SELECT count(*) FROM seen) > (SELECT count(*) FROM identified) AS more_due,
       i.msg_id, i.read_ct, i.body, i.bytes AS size, i.fault, i.enqueued_at, now() AS leased_at,
       j.first_leased_at, i.request_id,
       CASE
           WHEN i.request_id IS NULL THEN 'unidentified'
           WHEN i.locked THEN 'locked'
           WHEN j.queue = '{requests}' AND j.msg_id = i.msg_id AND j.read_ct = i.read_ct
                AND j.state = 'leased'
                THEN CASE WHEN c.request_id IS NOT NULL THEN 'cancelled' ELSE 'claimed' END
           WHEN j.digest = i.digest THEN 'duplicate'
           WHEN j.digest || i.digest LIKE '%:%' AND nexus.may_repeat(
                    (SELECT q.message FROM pgmq.q_{requests} AS q WHERE q.msg_id = i.msg_id), i.digest, j.digest)
                THEN 'duplicate'
           ELSE 'conflict'
       END AS verdict,
       greatest(j.attempts - 1, 0) AS attempts,
       CASE WHEN j.attempts > 1 THEN (
           SELECT a.started_at FROM nexus.attempts AS a
           WHERE a.request_id = j.request_id AND a.number > j.earlier_attempts ORDER BY a.number LIMIT 1
       ) END AS first_attempt_at,
       CASE WHEN j.attempts > 1 THEN (
           SELECT a.outcome FROM nexus.attempts AS a
           WHERE a.request_id = j.request_id AND a.number > j.earlier_attempts ORDER BY a.number DESC LIMIT 1
       ) END AS last_outcome,
       j.spared_attempts, j.earlier_attempts, j.used_candidates, p.provider AS previous_provider, p.model AS previous_model,
       p.key_name AS previous_key, c.by AS cancelled_by, c.why AS cancelled_why,
       -- From the message itself, if the journal row belongs to another message.
       CASE WHEN j.msg_id = i.msg_id AND j.read_ct = i.read_ct THEN j.traceparent ELSE i.traceparent END AS traceparent,
       -- The journal's values about waiting date from the previous lease, or from an earlier one.
       CASE WHEN i.old_state = 'queued' THEN greatest(j.wait_since, i.old_leased_at, i.enqueued_at) END AS waited_since,
       CASE WHEN i.old_state = 'queued' AND j.wait_since >= i.old_leased_at AND j.wait_since >= i.enqueued_at
            THEN j.wait_reason END AS waited_for,
       j.wait_detail AS waited_detail
FROM delivered AS i
LEFT JOIN journal AS j ON j.request_id = i.request_id
LEFT JOIN cancelled AS c ON c.request_id = i.request_id
{continued}
-- The journal row belongs to this message, unfinished, but it is not the candidate: it was given back after this
-- statement began. It stays invisible until its timeout, and is then leased again.
WHERE NOT coalesce(
    j.queue = '{requests}' AND j.msg_id = i.msg_id AND j.read_ct <> i.read_ct
    AND j.state IN ('leased', 'waiting', 'queued'), false)
ORDER BY i.msg_id
