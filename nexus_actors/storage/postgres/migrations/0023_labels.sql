-- Whose request it is stands in the journal from its lease on; a trace goes on through the service; a request may be cancelled
-- before it is given to a provider.

ALTER TABLE nexus.requests ADD COLUMN traceparent text;
COMMENT ON COLUMN nexus.requests.traceparent IS
    'The W3C traceparent of its message''s headers, as the result has it; null where there was no valid one.';
COMMENT ON COLUMN nexus.requests.agent_id IS 'The request''s agent_id. Until it has ended, the first 255 characters as it was sent.';
COMMENT ON COLUMN nexus.requests.complexity IS 'The complexity it was routed by. Until it has ended, as it was sent.';
COMMENT ON COLUMN nexus.requests.task_type IS 'The request''s task type. Until it has ended, as it was sent.';

CREATE TABLE nexus.cancellations (
    request_id   text PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE nexus.cancellations IS
    'Requests that are to end as cancelled when they are leased next, sent or not yet. A call that is being made goes on.';
COMMENT ON COLUMN nexus.cancellations.request_id IS 'The request.';
COMMENT ON COLUMN nexus.cancellations.requested_at IS 'When that was asked for.';

-- The traceparent of a message's headers, if it is a valid one of version 00. Whatever they are, it raises nothing, and takes no
-- more than a moment.
CREATE FUNCTION nexus.traceparent(headers jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN pg_column_size(headers)::bigint
                     * CASE pg_column_compression(headers) WHEN 'pglz' THEN 88 WHEN 'lz4' THEN 255 ELSE 1 END <= 1048576
                THEN substring(headers ->> 'traceparent' FROM '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$') END
$$;

COMMENT ON FUNCTION nexus.traceparent(jsonb) IS 'The W3C traceparent of a message''s headers; null where they have no valid one.';

-- Who may execute these may go on. Processes of the release before work meanwhile, with nexus.open_message as it is: their statements
-- count on its seven columns. So what reads ten has a name of its own.
SELECT set_config('nexus.granted', coalesce(string_agg(format(
           'GRANT EXECUTE ON FUNCTION %s TO %I', replace(p.oid::regprocedure::text, 'open_message', 'read_message'),
           pg_get_userbyid(a.grantee)), ';'), ''), true)
FROM pg_proc AS p
CROSS JOIN aclexplode(p.proacl) AS a
WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname IN ('open_message', 'open_any_message')
      AND a.grantee NOT IN (0, p.proowner);
DROP FUNCTION nexus.open_any_message(jsonb, bigint, boolean);

-- Open one message: its text, if that is `largest` bytes at most; what identifies it; what it goes on with; and whose it is, in
-- texts of 255 characters at most. Where there is no text, `fault` says why. It raises nothing but the end of the statement's time.
--
-- A number is longer as text than as jsonb: 12 bytes may be 147,456 characters, so the text of 80 KB may be a gigabyte. So where it
-- could be too long, the numbers are made texts one by one first. `bytes` are those of the text; where there is none, of as much
-- as was seen, more than `largest`. `identified`: false where only the text is wanted.
CREATE FUNCTION nexus.open_any_message(
    message jsonb, largest bigint, identified boolean,
    OUT body text, OUT bytes bigint, OUT request_id text, OUT digest text, OUT previous_id text, OUT retry_of text,
    OUT fault text, OUT agent_id text, OUT complexity text, OUT task_type text
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    plain jsonb;     -- fetched and decompressed once, which each operator would do for itself
    holder text[];   -- where the request's fields are
    numbers jsonb;
    as_text bigint;  -- bytes of numbers
    too_large boolean;
    request jsonb;   -- of what the digest is
BEGIN
    IF message IS NULL THEN
        RETURN;
    END IF;
    plain := message #> '{}';
    bytes := pg_column_size(plain);
    too_large := largest <= 0 OR bytes > 4 * largest + 64;  -- a small number has 12 bytes, and 3 as text
    -- Only a JSON string of 1..255 characters identifies. A value that is no string is not made a text here, however it is named.
    IF identified THEN
        IF jsonb_typeof(plain #> '{request_id}') = 'string' THEN
            holder := '{}';
        ELSIF jsonb_typeof(plain #> '{request,request_id}') = 'string' THEN
            holder := '{request}';
        END IF;
        IF holder IS NOT NULL THEN
            request_id := plain #>> (holder || 'request_id'::text);
            IF length(request_id) NOT BETWEEN 1 AND 255 THEN
                request_id := NULL;
            END IF;
            IF jsonb_typeof(plain #> (holder || 'agent_id'::text)) = 'string' THEN
                agent_id := left(plain #>> (holder || 'agent_id'::text), 255);
            END IF;
            IF jsonb_typeof(plain #> (holder || 'complexity'::text)) = 'string' THEN
                complexity := left(plain #>> (holder || 'complexity'::text), 255);
            END IF;
            IF jsonb_typeof(plain #> (holder || 'task_type'::text)) = 'string' THEN
                task_type := left(plain #>> (holder || 'task_type'::text), 255);
            END IF;
        END IF;
    END IF;

    IF NOT too_large AND bytes * 12300 > largest THEN
        -- As one array: jsonb_path_query takes quadratic time. Strict, or elements of arrays are found twice.
        numbers := jsonb_path_query_array(plain, 'strict $.** ? (@.type() == "number")');
        -- Ends with the number by which it is too much.
        SELECT s.so_far INTO as_text
        FROM (SELECT sum(octet_length(n::text)) OVER (ROWS UNBOUNDED PRECEDING) AS so_far
              FROM jsonb_array_elements(numbers) AS n) AS s
        WHERE s.so_far > largest
        LIMIT 1;
        too_large := as_text IS NOT NULL;
        bytes := coalesce(as_text, bytes);
    END IF;
    IF NOT too_large THEN
        body := plain::text;  -- strings are six times as long at most
        bytes := octet_length(body);
        IF bytes > largest THEN
            body := NULL;
        END IF;
    END IF;

    IF body IS NULL THEN
        fault := 'larger than allowed';
        IF identified THEN
            digest := nexus.unread_digest(plain);
        END IF;
        RETURN;
    END IF;
    IF NOT identified THEN
        RETURN;
    END IF;
    -- A request that is sent again may come wrapped this time, and with the time of this sending.
    request := CASE WHEN jsonb_typeof(plain -> 'request') = 'object' THEN plain -> 'request' END;
    digest := md5(CASE WHEN request IS NOT NULL THEN (request - 'timestamp')::text
                       WHEN jsonb_typeof(plain) = 'object' AND plain ? 'timestamp' THEN (plain - 'timestamp')::text
                       ELSE body END);
    -- Of the object that the request is read from: the inner one, unless the outer one has the id.
    IF request IS NULL OR jsonb_typeof(plain -> 'request_id') = 'string' THEN
        request := plain;
    END IF;
    IF jsonb_typeof(request -> 'previous_response_id') = 'string' THEN
        previous_id := request ->> 'previous_response_id';
    END IF;
    IF jsonb_typeof(plain -> 'retry_of') = 'string' THEN
        retry_of := left(plain ->> 'retry_of', 255);
    END IF;
EXCEPTION WHEN OTHERS THEN
    body := NULL;
    previous_id := NULL;
    fault := format('SQLSTATE %s', SQLSTATE);
    BEGIN
        digest := nexus.unread_digest(plain);
    EXCEPTION WHEN OTHERS THEN
        digest := 'unread:' || md5(clock_timestamp()::text);  -- equal to no other
    END;
END;
$$;

COMMENT ON FUNCTION nexus.open_any_message(jsonb, bigint, boolean) IS
    'Reads one message of any content, as nexus.read_message does, which is quicker with small ones.';

-- The same. Most messages are so small that nothing in them can be too large, too deep or unreadable, whatever it is: a byte is
-- 12,300 characters at most. For these, the planner puts this text in the place of the call, which is a fifth of the work.
CREATE FUNCTION nexus.read_message(message jsonb, largest bigint, identified boolean DEFAULT true)
RETURNS TABLE (
    body text, bytes bigint, request_id text, digest text, previous_id text, retry_of text, fault text,
    agent_id text, complexity text, task_type text
) LANGUAGE sql STABLE AS $$
    SELECT s.body, octet_length(s.body)::bigint,
           CASE WHEN length(s.id) BETWEEN 1 AND 255 THEN s.id END,
           CASE WHEN identified
                THEN md5(CASE WHEN s.inside IS NOT NULL THEN (s.inside - 'timestamp')::text
                              WHEN s.timed THEN (s.whole - 'timestamp')::text
                              ELSE s.body END) END,
           CASE WHEN jsonb_typeof(s.holder -> 'previous_response_id') = 'string' THEN s.holder ->> 'previous_response_id' END,
           CASE WHEN identified AND jsonb_typeof(s.whole -> 'retry_of') = 'string'
                THEN left(s.whole ->> 'retry_of', 255) END,
           NULL::text,
           CASE WHEN jsonb_typeof(s.holder -> 'agent_id') = 'string' THEN left(s.holder ->> 'agent_id', 255) END,
           CASE WHEN jsonb_typeof(s.holder -> 'complexity') = 'string' THEN left(s.holder ->> 'complexity', 255) END,
           CASE WHEN jsonb_typeof(s.holder -> 'task_type') = 'string' THEN left(s.holder ->> 'task_type', 255) END
    FROM (SELECT r.*, CASE WHEN NOT identified THEN NULL WHEN r.inside IS NULL OR r.named THEN r.whole ELSE r.inside END AS holder
          FROM (SELECT message AS whole, message::text AS body,
                       jsonb_typeof(message -> 'request_id') = 'string' AS named,
                       CASE WHEN NOT identified THEN NULL
                            WHEN jsonb_typeof(message -> 'request_id') = 'string' THEN message ->> 'request_id'
                            WHEN jsonb_typeof(message #> '{request,request_id}') = 'string'
                                THEN message #>> '{request,request_id}' END AS id,
                       CASE WHEN jsonb_typeof(message -> 'request') = 'object' THEN message -> 'request' END AS inside,
                       jsonb_typeof(message) = 'object' AND message ? 'timestamp' AS timed
                -- Each is made once, and nothing before it is known to be small.
                OFFSET 0) AS r
          OFFSET 0) AS s
    WHERE pg_column_compression(message) IS NULL AND pg_column_size(message) <= least(largest / 12300, 2000)
    UNION ALL
    SELECT o.*
    FROM nexus.open_any_message(message, largest, identified) AS o
    WHERE (pg_column_compression(message) IS NULL AND pg_column_size(message) <= least(largest / 12300, 2000)) IS NOT TRUE
$$;

COMMENT ON FUNCTION nexus.read_message(jsonb, bigint, boolean) IS
    'Reads one message of any content: its text within bounds, what identifies it, and whose it is.';
COMMENT ON FUNCTION nexus.open_message(jsonb, bigint, boolean) IS
    'As nexus.read_message, without whose it is: for processes of a release before it.';

DO $$
BEGIN
    EXECUTE current_setting('nexus.granted');
END;
$$;

-- As 0021 has it; and what was asked for before holds no longer.
CREATE OR REPLACE FUNCTION nexus.send_again(
    of_queue text, of_request text, old_msg_id bigint, message jsonb, OUT msg_id bigint, OUT why text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old nexus.requests;
    sent_at timestamptz;
BEGIN
    SELECT r.* INTO old FROM nexus.requests AS r WHERE r.request_id = of_request FOR NO KEY UPDATE;
    why := CASE
        WHEN NOT FOUND THEN 'the journal has its request no longer: send it without --same-id'
        WHEN old.queue <> of_queue OR old.msg_id IS DISTINCT FROM old_msg_id THEN 'its id is that of another message'
        WHEN old.state = 'done' THEN 'a success was published under its id'
        WHEN old.state <> 'failed' THEN 'its request is in work'
        WHEN (SELECT o.request_id FROM nexus.open_any_message(message, 0, true) AS o) IS DISTINCT FROM of_request
            THEN 'its request has another id' END;
    IF why IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT s INTO STRICT msg_id FROM pgmq.send(of_queue, message, 0) AS s;
    EXECUTE format('SELECT q.enqueued_at FROM pgmq.%I AS q WHERE q.msg_id = $1', 'q_' || of_queue) INTO STRICT sent_at USING msg_id;
    UPDATE nexus.requests AS r
    SET msg_id = send_again.msg_id, read_ct = 0, state = 'queued', lane = NULL, deadline = NULL,
        received_at = greatest(sent_at, '1970-01-01 00:00:00+00'), first_leased_at = NULL, finished_at = NULL,
        error_type = NULL, result_trouble = NULL, used_candidates = '{}',
        spared_attempts = r.attempts, sent_again_after = r.attempts
    WHERE r.request_id = of_request;
    DELETE FROM nexus.cancellations AS c WHERE c.request_id = of_request;
END;
$$;
