-- Why a request waits, which an operator asks at night: written when it is given back, where the process that had it knows.
-- Works with programs that know 0025.

ALTER TABLE nexus.requests
    ADD COLUMN wait_reason text,
    ADD COLUMN wait_detail text,
    ADD COLUMN wait_since timestamptz,
    ADD COLUMN wait_until timestamptz;

COMMENT ON COLUMN nexus.requests.lane IS
    'The provider for whose room it waits, or the pause for whose end (paused …); null unless waiting.';
COMMENT ON COLUMN nexus.requests.wait_reason IS
    'Why it was given back last: provider_full, throttled, circuit_open, no_key, budget, rate_limit, paused, not_before. Holds while it waits.';
COMMENT ON COLUMN nexus.requests.wait_detail IS 'What exactly, in words of the service.';
COMMENT ON COLUMN nexus.requests.wait_since IS 'Since when it waits for this reason, with no attempt between.';
COMMENT ON COLUMN nexus.requests.wait_until IS 'When it may be called again, as far as is known; null where nobody knows.';

-- What was given back until a moment is in no other index.
CREATE INDEX requests_queued ON nexus.requests (queue, msg_id) WHERE state = 'queued';

-- Of each queue what waits: each request that was leased once, and one row for all others.
CREATE FUNCTION nexus.waiting_requests()
RETURNS TABLE (
    queue text, request_id text, msg_id bigint, requests bigint, reason text, detail text, since timestamptz, until timestamptz,
    deadline timestamptz, before bigint, lane text, agent_id text, complexity text, task_type text, attempts integer
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_queue text;
    pause nexus.control;
BEGIN
    FOR of_queue IN SELECT q.name FROM nexus.request_queues AS q ORDER BY q.name LOOP
        CONTINUE WHEN to_regclass(format('pgmq.%I', 'q_' || of_queue)) IS NULL;
        pause := NULL;
        SELECT c.* INTO pause FROM nexus.control AS c
        WHERE c.action = 'pause' AND c.subject = 'queue' AND c.name = of_queue AND c.node = '*'
              AND (c.until IS NULL OR c.until > clock_timestamp());
        -- Those that wait: for room, where the provider is not paused; else for that, whatever they were told when they were given back.
        RETURN QUERY
            SELECT r.queue, r.request_id, r.msg_id, 1::bigint,
                   CASE WHEN p.name IS NOT NULL THEN 'paused' ELSE coalesce(r.wait_reason, 'provider_full') END,
                   CASE WHEN p.name IS NOT NULL
                        THEN format('provider %s is paused by %s%s%s', p.name, p.by, ' until ' || p.until, ': ' || p.why)
                        ELSE coalesce(r.wait_detail, r.lane) END,
                   coalesce(r.wait_since, r.leased_at), coalesce(p.until, r.wait_until), r.deadline,
                   row_number() OVER (PARTITION BY r.lane ORDER BY r.msg_id) - 1,
                   r.lane, r.agent_id, r.complexity, r.task_type, r.attempts
            FROM nexus.requests AS r
            LEFT JOIN nexus.control AS p
                 ON p.action = 'pause' AND p.subject = 'provider' AND p.name = r.lane AND p.node = '*'
                    AND (p.until IS NULL OR p.until > clock_timestamp())
            WHERE r.state = 'waiting' AND r.queue = of_queue
            UNION ALL
            SELECT r.queue, r.request_id, r.msg_id, 1::bigint, r.wait_reason, r.wait_detail, r.wait_since, r.wait_until, r.deadline,
                   NULL::bigint, NULL, r.agent_id, r.complexity, r.task_type, r.attempts
            FROM nexus.requests AS r
            WHERE r.state = 'queued' AND r.queue = of_queue AND r.wait_until > clock_timestamp()
            UNION ALL
            -- What a process had in hand that is gone, until its lease lapses.
            SELECT r.queue, r.request_id, r.msg_id, 1::bigint, 'lost_node', format('leased by %s, which is %s', n.name, n.state),
                   r.leased_at, NULL, NULL, NULL::bigint, NULL, r.agent_id, r.complexity, r.task_type, r.attempts
            FROM nexus.node_states AS n
            JOIN nexus.requests AS r ON r.owner = n.node AND r.state = 'leased' AND r.queue = of_queue
            WHERE n.state IN ('lost', 'stopped');
        -- What is due, and has not been leased: as many as there are messages that are visible.
        RETURN QUERY EXECUTE format($q$
            SELECT $1, NULL::text, NULL::bigint, count(*),
                   CASE WHEN $2 IS NULL THEN 'not_leased' ELSE 'paused' END, $2,
                   min(greatest(q.vt, q.enqueued_at)), $3, NULL::timestamptz, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::text,
                   NULL::integer
            FROM pgmq.%I AS q
            WHERE q.vt <= clock_timestamp()
            HAVING count(*) > 0$q$, 'q_' || of_queue)
            USING of_queue,
                  CASE WHEN pause.name IS NOT NULL
                       THEN format('queue %s is paused by %s%s%s', pause.name, pause."by", ' until ' || pause.until, ': ' || pause.why) END,
                  pause.until;
    END LOOP;
END;
$$;

COMMENT ON FUNCTION nexus.waiting_requests() IS 'What nexus.waiting shows.';

CREATE VIEW nexus.waiting AS SELECT * FROM nexus.waiting_requests();

COMMENT ON VIEW nexus.waiting IS
    'Each request that waits and was leased once, and why; and one row for each queue of what is due and was not.';
COMMENT ON COLUMN nexus.waiting.queue IS 'The requests queue.';
COMMENT ON COLUMN nexus.waiting.request_id IS 'The request; null in the row of those that are only due.';
COMMENT ON COLUMN nexus.waiting.msg_id IS 'Its message''s number.';
COMMENT ON COLUMN nexus.waiting.requests IS 'How many: 1, or in the row of those that are only due, all of them.';
COMMENT ON COLUMN nexus.waiting.reason IS
    'provider_full, throttled, circuit_open, no_key, budget, paused, not_before; lost_node; not_leased of what is only due.';
COMMENT ON COLUMN nexus.waiting.detail IS 'What exactly: of which provider, by whom.';
COMMENT ON COLUMN nexus.waiting.since IS 'Since when; of those that are only due, the oldest.';
COMMENT ON COLUMN nexus.waiting.until IS 'When it may be called again, as far as is known.';
COMMENT ON COLUMN nexus.waiting.deadline IS 'When its own timeout is over.';
COMMENT ON COLUMN nexus.waiting.before IS 'How many wait for the same and come first.';
COMMENT ON COLUMN nexus.waiting.lane IS 'The provider, or the pause, that it waits for.';
COMMENT ON COLUMN nexus.waiting.agent_id IS 'Whose it is.';
COMMENT ON COLUMN nexus.waiting.complexity IS 'As it was sent.';
COMMENT ON COLUMN nexus.waiting.task_type IS 'As it was sent.';
COMMENT ON COLUMN nexus.waiting.attempts IS 'Attempts made so far.';
