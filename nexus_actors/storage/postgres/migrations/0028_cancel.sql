-- A request is cancelled by a row, whoever writes it: a call that runs is cut off, all else ends at its next lease. nexus.cancel has what
-- waits leased at once.
-- Works with programs that know 0025.

ALTER TABLE nexus.cancellations
    ADD COLUMN by text CHECK (length(by) BETWEEN 1 AND 255),
    ADD COLUMN why text CHECK (length(why) <= 1000);
ALTER TABLE nexus.cancellations ALTER COLUMN by SET DEFAULT session_user;

COMMENT ON TABLE nexus.cancellations IS
    'Requests that are to end as cancelled, sent or not yet. The row goes with the end of its request.';
COMMENT ON COLUMN nexus.cancellations.by IS 'Who asked for it, as they say; null in rows of a release before 0028.';
COMMENT ON COLUMN nexus.cancellations.why IS 'Why, as they say.';

-- Those of these requests that wait for a provider or a moment are visible at once, each at its own turn, so that they end; how many.
-- What somebody holds is left: whoever it is gives it back, or ends it.
-- Locks: queue rows in order of msg_id, then journal rows in order of request_id, skipping those that are locked.
CREATE FUNCTION nexus.hasten(ids text[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_queue text;
    moved bigint;
    total bigint := 0;
BEGIN
    FOR of_queue IN
        SELECT DISTINCT r.queue
        FROM nexus.requests AS r
        JOIN nexus.request_queues AS k ON k.name = r.queue
        WHERE r.request_id = ANY (ids) AND r.state IN ('waiting', 'queued')
        ORDER BY r.queue
    LOOP
        EXECUTE format($query$
            WITH asked AS MATERIALIZED (
                SELECT r.request_id, r.msg_id, r.read_ct, r.received_at
                FROM nexus.requests AS r
                WHERE r.request_id = ANY ($1) AND r.queue = $2 AND r.state IN ('waiting', 'queued')
            ),
            queued AS MATERIALIZED (
                SELECT q.msg_id, q.read_ct, r.request_id
                FROM asked AS r
                JOIN pgmq.%1$I AS q ON q.msg_id = r.msg_id AND q.read_ct = r.read_ct
                WHERE q.msg_id = ANY (ARRAY(SELECT msg_id FROM asked)) AND q.vt > clock_timestamp()
                      AND (q.enqueued_at > now() OR greatest(q.enqueued_at, '1970-01-01 00:00:00+00') = r.received_at)
                ORDER BY q.msg_id
                FOR UPDATE OF q SKIP LOCKED
            ),
            held AS MATERIALIZED (
                SELECT r.request_id, r.msg_id
                FROM nexus.requests AS r
                JOIN queued AS q ON q.request_id = r.request_id
                -- Counting forces all of the queue's locks before the first of the journal's.
                WHERE (SELECT count(*) FROM queued) >= 0
                      AND r.request_id = ANY (ARRAY(SELECT request_id FROM queued))
                      AND r.msg_id = q.msg_id AND r.read_ct = q.read_ct AND r.state IN ('waiting', 'queued')
                ORDER BY r.request_id
                FOR UPDATE OF r SKIP LOCKED
            ),
            returned AS (
                UPDATE nexus.requests AS r SET state = 'queued', lane = NULL
                FROM held AS h
                WHERE r.request_id = h.request_id AND r.request_id = ANY (ARRAY(SELECT request_id FROM held))
            ),
            hastened AS (
                UPDATE pgmq.%1$I AS q
                SET vt = least(clock_timestamp(), greatest(q.enqueued_at, '1970-01-01 00:00:00+00'))
                FROM held AS h
                WHERE q.msg_id = h.msg_id AND q.msg_id = ANY (ARRAY(SELECT msg_id FROM held))
                RETURNING q.msg_id
            )
            SELECT count(*) FROM hastened$query$, 'q_' || of_queue)
        INTO moved USING ids, of_queue;
        total := total + moved;
        IF moved > 0 AND pg_notification_queue_usage() < 0.5 THEN
            PERFORM pg_notify('nexus_queue_' || of_queue, '');
        END IF;
    END LOOP;
    RETURN total;
END;
$$;

-- One row's id goes along; of several, whoever hears of it has to look.
CREATE FUNCTION nexus.tell_cancelled() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids CONSTANT text[] := ARRAY(SELECT m.request_id FROM made AS m LIMIT 2);
BEGIN
    IF cardinality(ids) > 0 AND pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('nexus_cancel', CASE WHEN cardinality(ids) = 1 AND length(ids[1]) <= 255 THEN ids[1] ELSE '' END);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER tell_cancelled AFTER INSERT ON nexus.cancellations
REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION nexus.tell_cancelled();

-- What is in none of the journal's rows is looked for in the queues, as nexus.find_queued does.
CREATE FUNCTION nexus.cancel(request_id text, why text DEFAULT NULL, by text DEFAULT session_user) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_in text;
    of_queue text;
    number bigint;
BEGIN
    IF coalesce(length(request_id), 0) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION 'nexus.cancel: expected a request_id of 1 to 255 characters' USING ERRCODE = '22023';
    END IF;
    IF length(why) > 1000 OR length(by) > 255 THEN
        RAISE EXCEPTION 'nexus.cancel: expected a by of 255 characters at most, a why of 1000' USING ERRCODE = '22023';
    END IF;
    SELECT r.state INTO now_in FROM nexus.requests AS r WHERE r.request_id = cancel.request_id;
    IF now_in IS NULL OR now_in NOT IN ('done', 'failed') THEN
        INSERT INTO nexus.cancellations AS c (request_id, by, why)
        VALUES (cancel.request_id, coalesce(nullif(cancel.by, ''), session_user), cancel.why)
        ON CONFLICT ON CONSTRAINT cancellations_pkey DO NOTHING;
        PERFORM nexus.hasten(ARRAY[cancel.request_id]);
        SELECT r.state INTO now_in FROM nexus.requests AS r WHERE r.request_id = cancel.request_id;
    END IF;
    IF now_in IN ('done', 'failed') THEN
        DELETE FROM nexus.cancellations AS c WHERE c.request_id = cancel.request_id;
        RETURN 'ended';
    ELSIF now_in IS NOT NULL THEN
        RETURN CASE now_in WHEN 'leased' THEN 'running' ELSE 'queued' END;
    END IF;
    FOR of_queue IN SELECT k.name FROM nexus.request_queues AS k ORDER BY k.name LOOP
        CONTINUE WHEN to_regclass(format('pgmq.%I', 'q_' || of_queue)) IS NULL;
        SELECT f.msg_id INTO number FROM nexus.find_queued(of_queue, cancel.request_id) AS f;
        CONTINUE WHEN number IS NULL;
        -- One that was sent for later is leased now.
        EXECUTE format($query$
            UPDATE pgmq.%1$I AS q SET vt = clock_timestamp()
            WHERE q.msg_id = (SELECT s.msg_id FROM pgmq.%1$I AS s
                              WHERE s.msg_id = $1 AND s.read_ct = 0 AND s.vt > clock_timestamp() FOR UPDATE SKIP LOCKED)
            $query$, 'q_' || of_queue) USING number;
        IF pg_notification_queue_usage() < 0.5 THEN
            PERFORM pg_notify('nexus_queue_' || of_queue, '');
        END IF;
        RETURN 'queued';
    END LOOP;
    RETURN 'unknown';
END;
$$;

-- Refuses what is no filter, for those below.
CREATE FUNCTION nexus.check_cancel_filter(
    agent text, provider text, older_than interval, state text, most integer
) RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF agent IS NULL AND provider IS NULL AND older_than IS NULL AND state IS NULL THEN
        RAISE EXCEPTION 'expected agent, provider, older_than or state (any for all requests): which requests?' USING ERRCODE = '22023';
    END IF;
    IF state NOT IN ('queued', 'running', 'any') THEN
        RAISE EXCEPTION 'expected state to be queued, running or any, not %', quote_literal(left(state, 100)) USING ERRCODE = '22023';
    END IF;
    IF older_than < '0' THEN
        RAISE EXCEPTION 'expected older_than to be no less than 0' USING ERRCODE = '22023';
    END IF;
    IF most IS NULL OR most NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'expected most to be 1 to 100000' USING ERRCODE = '22023';
    END IF;
END;
$$;

-- Requests that are not to be cancelled yet and that all given is true of, up to `most`: those that the journal has first, then of each
-- queue what nobody has leased, among the first 100,000 messages. Whose an unleased one is, is as it was sent; it waits for no provider,
-- and so does what runs. A message that would take long to look at ends the search.
CREATE FUNCTION nexus.cancellable(
    agent text DEFAULT NULL, provider text DEFAULT NULL, older_than interval DEFAULT NULL, state text DEFAULT NULL,
    most integer DEFAULT 10000
) RETURNS TABLE (request_id text, is_running boolean) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_queue text;
    moved bigint;
    total bigint := 0;
    before CONSTANT timestamptz := clock_timestamp() - older_than;
BEGIN
    PERFORM nexus.check_cancel_filter(agent, provider, older_than, state, most);
    RETURN QUERY
        SELECT r.request_id, r.state = 'leased'
        FROM nexus.requests AS r
        WHERE r.state = ANY (CASE cancellable.state WHEN 'queued' THEN ARRAY['waiting', 'queued'] WHEN 'running' THEN ARRAY['leased']
                             ELSE ARRAY['waiting', 'queued', 'leased'] END)
              AND (cancellable.agent IS NULL OR r.agent_id = cancellable.agent)
              AND (cancellable.provider IS NULL OR r.state = 'waiting' AND r.lane = cancellable.provider)
              AND (before IS NULL OR r.received_at < before)
              AND NOT EXISTS (SELECT FROM nexus.cancellations AS c WHERE c.request_id = r.request_id)
        LIMIT most;
    GET DIAGNOSTICS total = ROW_COUNT;
    IF provider IS NOT NULL OR state = 'running' THEN
        RETURN;
    END IF;
    FOR of_queue IN SELECT k.name FROM nexus.request_queues AS k ORDER BY k.name LOOP
        CONTINUE WHEN to_regclass(format('pgmq.%I', 'q_' || of_queue)) IS NULL;
        EXIT WHEN total >= most;
        RETURN QUERY EXECUTE format($query$
            SELECT s.id, false
            FROM (SELECT l.*, sum(l.weight) OVER (ORDER BY l.msg_id ROWS UNBOUNDED PRECEDING) AS together
                  FROM (SELECT q.msg_id, q.message, q.enqueued_at,
                               pg_column_size(q.message)::bigint
                               * CASE pg_column_compression(q.message) WHEN 'pglz' THEN 88 WHEN 'lz4' THEN 255 ELSE 1 END AS weight
                        FROM pgmq.%I AS q ORDER BY q.msg_id LIMIT 100000) AS l) AS w
            -- Of the object that the request is read from, as nexus.read_message has it.
            CROSS JOIN LATERAL (
                SELECT CASE WHEN jsonb_typeof(w.message -> 'request_id') = 'string' THEN w.message
                            WHEN jsonb_typeof(w.message #> '{request,request_id}') = 'string' THEN w.message -> 'request' END AS holder
                WHERE w.together <= 536870912
                OFFSET 0) AS h
            CROSS JOIN LATERAL (
                SELECT h.holder ->> 'request_id' AS id,
                       CASE WHEN jsonb_typeof(h.holder -> 'agent_id') = 'string' THEN left(h.holder ->> 'agent_id', 255) END AS agent_id
                OFFSET 0) AS s
            WHERE length(s.id) BETWEEN 1 AND 255 AND ($1 IS NULL OR s.agent_id = $1) AND ($2 IS NULL OR w.enqueued_at < $2)
                  AND NOT EXISTS (SELECT FROM nexus.requests AS r WHERE r.request_id = s.id)
                  AND NOT EXISTS (SELECT FROM nexus.cancellations AS c WHERE c.request_id = s.id)
            LIMIT $3
            $query$, 'q_' || of_queue) USING agent, before, most - total;
        GET DIAGNOSTICS moved = ROW_COUNT;
        total := total + moved;
    END LOOP;
END;
$$;

CREATE FUNCTION nexus.cancel_where(
    agent text DEFAULT NULL, provider text DEFAULT NULL, older_than interval DEFAULT NULL, state text DEFAULT NULL,
    why text DEFAULT NULL, by text DEFAULT session_user, most integer DEFAULT 10000
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made text[];
BEGIN
    IF length(why) > 1000 OR length(by) > 255 THEN
        RAISE EXCEPTION 'nexus.cancel_where: expected a by of 255 characters at most, a why of 1000' USING ERRCODE = '22023';
    END IF;
    WITH new AS (
        INSERT INTO nexus.cancellations AS c (request_id, by, why)
        SELECT DISTINCT s.request_id, coalesce(nullif(cancel_where.by, ''), session_user), cancel_where.why
        FROM nexus.cancellable(agent, provider, older_than, state, most) AS s
        ORDER BY s.request_id
        ON CONFLICT ON CONSTRAINT cancellations_pkey DO NOTHING
        RETURNING c.request_id
    )
    SELECT array_agg(n.request_id) INTO made FROM new AS n;
    PERFORM nexus.hasten(made);
    RETURN coalesce(cardinality(made), 0);
END;
$$;

COMMENT ON FUNCTION nexus.cancel(text, text, text) IS
    'Has a request end as cancelled. What it was found to be: queued, running, ended (it stays so), unknown (held for when it is sent).';
COMMENT ON FUNCTION nexus.cancel_where(text, text, interval, text, text, text, integer) IS
    'nexus.cancel for up to `most` requests of an agent, that wait for a provider, or older; how many. Repeat it until that is 0.';
COMMENT ON FUNCTION nexus.cancellable(text, text, interval, text, integer) IS 'The requests that nexus.cancel_where would cancel.';
COMMENT ON FUNCTION nexus.hasten(text[]) IS 'Makes those of these requests visible at once that wait; how many.';
COMMENT ON FUNCTION nexus.check_cancel_filter(text, text, interval, text, integer) IS 'Raises an exception for what is no filter.';
COMMENT ON FUNCTION nexus.tell_cancelled() IS 'Has the services look which of their requests are to be cancelled.';
