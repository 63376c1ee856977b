-- End the requests of $2 (JSON) for instance $1: publish results, send dead letters, acknowledge the messages, close
-- the journal rows and record the attempts $3 (JSON). Each item is fenced; a lost lease does not affect the others.
--
-- An item with a result is fenced by its journal row, which every lease writes: the fence holds even if an operator has
-- purged or read the message. An item without a result (it has no id, or the id is another message's) has no journal
-- row of its own and is fenced by its queue row. Every row is looked up by a list of keys, in addition to the hash join
-- with the same condition (our sessions allow no other kind): a table may have been empty when it was last analysed or
-- when the plan was made, and the planner would then read all of it; or it would expect a batch of one row, and scan
-- the batch for each row.
-- Locks: queue rows in order of msg_id, then journal rows in order of request_id, then spending by budget and period.
-- The wait for each lock is short, so that one locked row does not keep the other requests from ending.
WITH item AS MATERIALIZED (
    SELECT row_number() OVER () AS place, i.msg_id, i.read_ct, i.request_id, i.row_id, i.result::jsonb AS result, i.journal::jsonb AS journal, i.failure,
           i.attempt_count, i.spared_count, i.steps
    FROM json_to_recordset($2::json) AS i (
        msg_id bigint, read_ct integer, request_id text, row_id uuid, result text, journal text, failure json,
        attempt_count integer, spared_count integer, steps json
    )
),
queued AS MATERIALIZED (
    SELECT q.msg_id, q.read_ct, q.enqueued_at
    FROM pgmq.q_{requests} AS q
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM item))
          AND (SELECT set_config('lock_timeout', '{lock_timeout}', true)) IS NOT NULL
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
owned AS MATERIALIZED (
    SELECT i.place, r.request_id, r.msg_id, r.read_ct, r.received_at, r.sent_again_after, r.traceparent
    FROM nexus.requests AS r
    JOIN item AS i ON i.request_id = r.request_id
    -- Counting makes it take all locks on the queue before the first on the journal.
    WHERE (SELECT count(*) FROM queued) >= 0
          AND i.result IS NOT NULL AND r.request_id = ANY (ARRAY(SELECT request_id FROM item))
          AND r.queue = '{requests}' AND r.msg_id = i.msg_id AND r.read_ct = i.read_ct
          -- Written so that no index on these is used, which would return everything that this instance has in work.
          AND (r.owner, r.state) IS NOT DISTINCT FROM ($1, 'leased')
    ORDER BY r.request_id
    FOR UPDATE OF r
),
-- The sequence was reset meanwhile and the number is another request's. Its message stays, unless that ends here, too.
others AS MATERIALIZED (
    SELECT r.place
    FROM owned AS r
    JOIN queued AS q ON q.msg_id = r.msg_id
    WHERE NOT {same_r}
),
ended AS MATERIALIZED (
    SELECT place, msg_id, read_ct FROM owned
    UNION ALL
    SELECT i.place, q.msg_id, q.read_ct
    FROM queued AS q
    JOIN item AS i ON i.msg_id = q.msg_id AND i.read_ct = q.read_ct AND i.result IS NULL
),
-- Ended by an earlier call whose response was lost.
already AS MATERIALIZED (
    SELECT r.msg_id, r.read_ct
    FROM nexus.requests AS r
    JOIN item AS i ON i.request_id = r.request_id
    WHERE r.request_id = ANY (ARRAY(SELECT request_id FROM item))
          AND r.queue = '{requests}' AND r.msg_id = i.msg_id AND r.read_ct = i.read_ct
          AND r.owner = $1 AND r.state IN ('done', 'failed')
),
-- The fields of the results: `contract/encode.py` has the names.
said AS MATERIALIZED (
    SELECT i.place, i.msg_id, i.request_id, i.row_id, i.attempt_count, i.spared_count, i.steps, o.sent_again_after,
           -- Our own span, if there is one, else the producer's. Here, so that it applies to every kind of end.
           coalesce(i.result ->> 'traceparent', o.traceparent) AS traceparent,
           CASE WHEN o.traceparent IS NULL OR i.result ? 'traceparent' THEN i.result
                ELSE i.result || jsonb_build_object('traceparent', o.traceparent) END AS result, d.*
    FROM owned AS o
    JOIN item AS i ON i.request_id = o.request_id AND i.msg_id = o.msg_id AND i.result IS NOT NULL
    CROSS JOIN LATERAL jsonb_to_record(coalesce(i.journal, i.result)) AS d (
        status text, agent_id text, complexity text, task_type text, provider text, model text, usage jsonb, cost numeric,
        cost_basis text, latency_ms bigint, error jsonb, response_id text, "timestamp" text)
),
closed AS (
    UPDATE nexus.requests AS r
    SET state = CASE WHEN d.status = 'ok' THEN 'done' ELSE 'failed' END,
        finished_at = now(), lane = NULL, attempts = d.attempt_count, spared_attempts = d.spared_count, steps = d.steps::jsonb,
        agent_id = d.agent_id, complexity = d.complexity, task_type = d.task_type, provider = d.provider, model = d.model,
        prompt_tokens = (d.usage ->> 'prompt_tokens')::bigint, completion_tokens = (d.usage ->> 'completion_tokens')::bigint,
        cost = d.cost, cost_basis = d.cost_basis, latency_ms = d.latency_ms, error_type = d.error ->> 'type',
        response_id = d.response_id, traceparent = coalesce(r.traceparent, d.traceparent)
    FROM said AS d
    WHERE r.request_id = d.request_id AND r.request_id = ANY (ARRAY(SELECT request_id FROM owned))
),
-- A cancellation has taken effect, or came too late.
forgotten AS (
    DELETE FROM nexus.cancellations AS c WHERE c.request_id = ANY (ARRAY(SELECT request_id FROM owned))
),
{attempts},
{stored}{published},
-- The request is copied from the queue's row, so that it need not be sent to the server again.
letters AS MATERIALIZED (
    SELECT i.msg_id,
           nexus.dead_letter(
               q.message, 'request',
               jsonb_build_object(
                   'reason', i.failure ->> 'type', 'detail', i.failure, 'request_id', i.request_id,
                   'msg_id', i.msg_id, 'attempts', i.attempt_count, 'dead_at', now())
                   || jsonb_strip_nulls(jsonb_build_object('traceparent', d.traceparent)),
               CASE WHEN (SELECT true FROM pgmq.a_{requests} AS a WHERE a.msg_id = i.msg_id LIMIT 1) IS NULL
                         AND i.place NOT IN (SELECT place FROM others)
                    THEN i.msg_id END) AS letter
    FROM item AS i
    JOIN ended AS e ON e.place = i.place
    LEFT JOIN said AS d ON d.place = i.place
    LEFT JOIN pgmq.q_{requests} AS q
         ON q.msg_id = i.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM item WHERE failure IS NOT NULL))
            AND i.place NOT IN (SELECT place FROM others)
    WHERE i.failure IS NOT NULL
),
-- One by one: together they may exceed the size of an array.
buried AS MATERIALIZED (
    SELECT count(*)
    FROM (SELECT letter FROM letters ORDER BY msg_id) AS l
    CROSS JOIN LATERAL pgmq.send('{dead}', l.letter)
),
-- A message whose number is in the archive already can only be deleted. A message that a dead letter refers to is
-- always kept. One look-up per message: for EXISTS, the planner may read the whole archive.
fate AS MATERIALIZED (
    SELECT e.msg_id,
           ('{acknowledge}' = 'archive'
            OR EXISTS (SELECT FROM letters AS l
                       WHERE l.msg_id = e.msg_id AND l.letter ->> 'archived_msg_id' IS NOT NULL))
           AND (SELECT true FROM pgmq.a_{requests} AS a WHERE a.msg_id = e.msg_id LIMIT 1) IS NULL AS kept
    FROM ended AS e
    WHERE e.place NOT IN (SELECT place FROM others)
),
-- The same as pgmq.archive and pgmq.delete, which build and plan their statements again at each call.
gone AS (
    DELETE FROM pgmq.q_{requests} AS q
    WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM fate))
    RETURNING {columns}
),
archived AS (
    INSERT INTO pgmq.a_{requests} ({columns})
    SELECT {columns}
    FROM gone
    WHERE msg_id IN (SELECT msg_id FROM fate WHERE kept)
    ORDER BY msg_id
)
SELECT e.msg_id, e.read_ct
FROM ended AS e
-- A CTE without a reference is executed only if it writes.
WHERE (SELECT count FROM published) >= 0 AND (SELECT count FROM buried) >= 0
UNION ALL
SELECT msg_id, read_ct FROM already
