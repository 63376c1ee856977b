-- What the dashboard and the observer look at and act by: sums of the journal, what nodes show of themselves to whoever looks, orders to
-- a node, and a record of who did what. Nothing of it stands in the way of a request.
-- Works with programs that know 0025.

CREATE INDEX IF NOT EXISTS requests_failed ON nexus.requests (finished_at) WHERE state = 'failed';
-- An agent_id may be of any length, and an index takes 2,700 bytes: ask for left(agent_id, 255) = left($1, 255).
CREATE INDEX IF NOT EXISTS requests_by_agent ON nexus.requests (left(agent_id, 255), finished_at) WHERE finished_at IS NOT NULL;

CREATE FUNCTION nexus.latency_bounds() RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{50,100,200,300,500,750,1000,1500,2000,3000,5000,7500,10000,15000,20000,30000,45000,60000,90000,120000,180000,300000,600000}'::bigint[]
$$;

COMMENT ON FUNCTION nexus.latency_bounds() IS
    'Milliseconds: where each bucket of nexus.sums.latency ends and the next begins; the last one has no end.';

-- The key is a digest, since the texts may be longer together than an index takes.
CREATE TABLE nexus.sums (
    queue             text NOT NULL,
    span              text NOT NULL CHECK (span IN ('minute', 'hour', 'day')),
    at                timestamptz NOT NULL,
    key               uuid NOT NULL,
    agent_id          text NOT NULL,
    task_type         text NOT NULL,
    complexity        text NOT NULL,
    provider          text NOT NULL,
    model             text NOT NULL,
    error_type        text NOT NULL,
    requests          bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    latency           bigint[] NOT NULL,
    attempts          bigint NOT NULL,
    cost              numeric NOT NULL,
    unknown_costs     bigint NOT NULL,
    PRIMARY KEY (queue, span, at, key)
);

COMMENT ON COLUMN nexus.chores.chore IS 'prune: delete what has been kept for long enough. sum: write nexus.sums.';

COMMENT ON TABLE nexus.sums IS
    'The journal, summed by the leader of the chore sum: one row for each span and each combination of the columns agent_id to error_type. See nexus.sums_progress for what is summed already.';
COMMENT ON COLUMN nexus.sums.queue IS 'The queue that carried the requests.';
COMMENT ON COLUMN nexus.sums.span IS
    'minute (kept for three hours), hour or day (UTC; kept for [retention] sums_days). A day is the sum of those of its hours that are summed.';
COMMENT ON COLUMN nexus.sums.at IS 'When the span begins; its requests ended in it.';
COMMENT ON COLUMN nexus.sums.key IS 'The digest of agent_id to error_type.';
COMMENT ON COLUMN nexus.sums.agent_id IS 'The requests'' agent_id, its first 255 characters as of all texts here; empty: none. (others), as of all texts here: what is rare in the span. Of agents the 1,000 busiest are named, of any other text the 100 that are; of combinations the 3,000 busiest, the rest by provider and model.';
COMMENT ON COLUMN nexus.sums.task_type IS 'Their task type; empty: none.';
COMMENT ON COLUMN nexus.sums.complexity IS 'Their complexity; empty: none.';
COMMENT ON COLUMN nexus.sums.provider IS 'The provider that answered, or failed last; in attempts, cost and unknown_costs the attempt''s own. Empty: none.';
COMMENT ON COLUMN nexus.sums.model IS 'The model, as provider.';
COMMENT ON COLUMN nexus.sums.error_type IS 'The error of failed requests; empty: they were answered. Attempts are counted under the empty one, however they ended.';
COMMENT ON COLUMN nexus.sums.requests IS 'How many ended in the span.';
COMMENT ON COLUMN nexus.sums.prompt_tokens IS 'Tokens in.';
COMMENT ON COLUMN nexus.sums.completion_tokens IS 'Tokens out.';
COMMENT ON COLUMN nexus.sums.latency IS
    'How many requests took how long: counts for each bucket of nexus.latency_bounds(), one more than there are bounds. Empty where none has a latency.';
COMMENT ON COLUMN nexus.sums.attempts IS 'Calls that were made for requests that ended in the span.';
COMMENT ON COLUMN nexus.sums.cost IS 'US dollars: the known costs of these attempts.';
COMMENT ON COLUMN nexus.sums.unknown_costs IS 'Attempts that were or may have been paid, whose cost nobody knows.';

-- Few rows, for what is drawn over a week: of the sums of an hour there may be thousands.
CREATE TABLE nexus.totals (
    queue             text NOT NULL,
    span              text NOT NULL CHECK (span IN ('minute', 'hour', 'day')),
    at                timestamptz NOT NULL,
    requests          bigint NOT NULL,
    failed            bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    latency           bigint[] NOT NULL,
    attempts          bigint NOT NULL,
    cost              numeric NOT NULL,
    unknown_costs     bigint NOT NULL,
    PRIMARY KEY (queue, span, at)
);

COMMENT ON TABLE nexus.totals IS 'nexus.sums with all of a span in one row. A span of which nothing ended has no row.';
COMMENT ON COLUMN nexus.totals.queue IS 'As in nexus.sums.';
COMMENT ON COLUMN nexus.totals.span IS 'As in nexus.sums.';
COMMENT ON COLUMN nexus.totals.at IS 'As in nexus.sums.';
COMMENT ON COLUMN nexus.totals.requests IS 'How many ended in the span.';
COMMENT ON COLUMN nexus.totals.failed IS 'Those of them that failed, without the cancelled ones.';
COMMENT ON COLUMN nexus.totals.prompt_tokens IS 'Tokens in.';
COMMENT ON COLUMN nexus.totals.completion_tokens IS 'Tokens out.';
COMMENT ON COLUMN nexus.totals.latency IS 'As in nexus.sums, of the requests that were answered: what failed took as long as it was tried.';
COMMENT ON COLUMN nexus.totals.attempts IS 'As in nexus.sums.';
COMMENT ON COLUMN nexus.totals.cost IS 'As in nexus.sums.';
COMMENT ON COLUMN nexus.totals.unknown_costs IS 'As in nexus.sums.';

CREATE TABLE nexus.sums_progress (
    queue         text PRIMARY KEY,
    minutes_until timestamptz NOT NULL,
    hours_until   timestamptz NOT NULL,
    hours_since   timestamptz NOT NULL,
    minutes_since timestamptz
) WITH (fillfactor = 50);

COMMENT ON TABLE nexus.sums_progress IS 'How far nexus.sums has come, one row for each queue.';
COMMENT ON COLUMN nexus.sums_progress.queue IS 'The queue.';
COMMENT ON COLUMN nexus.sums_progress.minutes_until IS
    'All minutes before this one are summed, those of the last three hours. Each is summed once, half a minute after it is over, or the time that a statement may take and ten seconds: what is seen later than that, such as a commit that waited for a synchronous standby, is in the journal alone.';
COMMENT ON COLUMN nexus.sums_progress.hours_until IS 'All hours from hours_since until before this one are summed.';
COMMENT ON COLUMN nexus.sums_progress.hours_since IS 'The earliest hour that is summed: what ended before the roll-up ran first is summed later, newest hour first.';

COMMENT ON COLUMN nexus.sums_progress.minutes_since IS
    'Where the hour before hours_since has many requests: its minutes from this one on are summed. Null: no such hour is under way.';

ALTER TABLE nexus.requests ADD COLUMN summed_attempts integer;

COMMENT ON COLUMN nexus.requests.summed_attempts IS
    'How many attempts nexus.sums had counted when an operator sent it again under its own id: they are not counted again. Null: none.';

-- As in 0023_labels.sql; it notes besides what is summed already.
CREATE OR REPLACE FUNCTION nexus.send_again(
    of_queue text, of_request text, old_msg_id bigint, message jsonb, OUT msg_id bigint, OUT why text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old nexus.requests;
    sent_at timestamptz;
    is_summed boolean;
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
    -- Waits for the portion that is summed now, if any.
    SELECT old.finished_at < p.minutes_until AND old.finished_at >= coalesce(p.minutes_since, p.hours_since) INTO is_summed
    FROM nexus.sums_progress AS p WHERE p.queue = of_queue FOR SHARE;
    UPDATE nexus.requests AS r
    SET msg_id = send_again.msg_id, read_ct = 0, state = 'queued', lane = NULL, deadline = NULL,
        received_at = greatest(sent_at, '1970-01-01 00:00:00+00'), first_leased_at = NULL, finished_at = NULL,
        error_type = NULL, result_trouble = NULL, used_candidates = '{}',
        spared_attempts = r.attempts, sent_again_after = r.attempts,
        summed_attempts = CASE WHEN is_summed THEN r.attempts ELSE r.summed_attempts END
    WHERE r.request_id = of_request;
    DELETE FROM nexus.cancellations AS c WHERE c.request_id = of_request;
END;
$$;

CREATE TABLE nexus.looks (
    node  text NOT NULL,
    what  text NOT NULL CHECK (length(what) <= 300 AND (what IN ('tree', 'status', 'config') OR what LIKE 'actor _%')),
    until timestamptz NOT NULL,
    by    text,
    PRIMARY KEY (node, what)
) WITH (fillfactor = 50);

COMMENT ON TABLE nexus.looks IS 'What somebody looks at: the node writes it into nexus.sights until then. Set by nexus.look.';
COMMENT ON COLUMN nexus.looks.node IS 'The node (nexus.nodes.node).';
COMMENT ON COLUMN nexus.looks.what IS 'tree, status, config, or actor NAME.';
COMMENT ON COLUMN nexus.looks.until IS 'For how long; each look makes it ten seconds from then. Deleted some minutes after.';
COMMENT ON COLUMN nexus.looks.by IS 'Who looked last, as they say.';

CREATE TABLE nexus.sights (
    node text NOT NULL,
    what text NOT NULL CHECK (length(what) <= 300),
    at   timestamptz NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (node, what),
    FOREIGN KEY (node, what) REFERENCES nexus.looks ON DELETE CASCADE
) WITH (fillfactor = 50);

COMMENT ON TABLE nexus.sights IS 'What nodes show of themselves, while somebody looks; deleted with the look. No prompt and no answer is in it.';
COMMENT ON COLUMN nexus.sights.node IS 'The node.';
COMMENT ON COLUMN nexus.sights.what IS 'As in nexus.looks.';
COMMENT ON COLUMN nexus.sights.at IS 'When it was written.';
COMMENT ON COLUMN nexus.sights.body IS 'The sight; {"error": TEXT} where there is nothing to be seen, such as of an actor that does not exist.';

CREATE TABLE nexus.commands (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node     text NOT NULL,
    action   text NOT NULL CHECK (action IN ('restart', 'stop', 'start', 'reload')),
    actor    text NOT NULL DEFAULT '' CHECK (length(actor) <= 255 AND (actor = '') = (action = 'reload')),
    now      boolean NOT NULL DEFAULT false,
    by       text NOT NULL CHECK (length(by) BETWEEN 1 AND 255),
    why      text CHECK (length(why) <= 1000),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_at timestamptz,
    ended_at timestamptz,
    outcome  text CHECK (length(outcome) <= 1000)
);
CREATE INDEX commands_untaken ON nexus.commands (node, number) WHERE taken_at IS NULL;

COMMENT ON TABLE nexus.commands IS
    'Orders to a node, each carried out once at most: not at all where the node has not taken it within a minute. Given by nexus.command.';
COMMENT ON COLUMN nexus.commands.number IS 'Orders in their order.';
COMMENT ON COLUMN nexus.commands.node IS 'The node (nexus.nodes.node).';
COMMENT ON COLUMN nexus.commands.action IS 'restart, stop or start an actor; reload the config.';
COMMENT ON COLUMN nexus.commands.actor IS 'Its name, as nexus tree shows it; empty where the action is about none.';
COMMENT ON COLUMN nexus.commands.now IS 'restart, stop: do not wait until it has ended in order.';
COMMENT ON COLUMN nexus.commands.by IS 'Who wants it, as they say.';
COMMENT ON COLUMN nexus.commands.why IS 'Why, as they say.';
COMMENT ON COLUMN nexus.commands.at IS 'When it was given.';
COMMENT ON COLUMN nexus.commands.taken_at IS 'When the node took it: one after the other. One that is taken and never ends was in hand when the process was killed, or its ObserverBackend.';
COMMENT ON COLUMN nexus.commands.ended_at IS 'When it was carried out, or refused.';
COMMENT ON COLUMN nexus.commands.outcome IS 'What came of it, in a line.';

CREATE TABLE nexus.audit (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    by      text NOT NULL,
    role    text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    detail  jsonb
);

COMMENT ON TABLE nexus.audit IS
    'Who did what, beside the changes of nexus.control, which are in nexus.control_log: orders to nodes, changed letters, all acts of the dashboard. Rows are only added, by nexus.record.';
COMMENT ON COLUMN nexus.audit.number IS 'Acts in their order.';
COMMENT ON COLUMN nexus.audit.at IS 'When its transaction began.';
COMMENT ON COLUMN nexus.audit.by IS 'Who, as they said; where they said nothing, the role.';
COMMENT ON COLUMN nexus.audit.role IS 'The role that was logged in, as the server knows it.';
COMMENT ON COLUMN nexus.audit.action IS 'What was done, in a word.';
COMMENT ON COLUMN nexus.audit.subject IS 'To what.';
COMMENT ON COLUMN nexus.audit.detail IS 'How. No prompt and no answer.';

-- Runs as the owner: nobody else may write the table, so that what is on record stays.
CREATE FUNCTION nexus.record(action text, subject text, detail jsonb, by text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(length(action), 0) NOT BETWEEN 1 AND 64 OR coalesce(length(subject), 1001) > 1000 OR length(by) > 255
       OR length(detail::text) > 10000 THEN
        RAISE EXCEPTION 'nexus.record: expected an action of 1 to 64 characters, a subject of 1000 at most, a by of 255, a detail of 10000'
            USING ERRCODE = '22023';
    END IF;
    INSERT INTO nexus.audit (by, role, action, subject, detail)
    VALUES (coalesce(nullif(by, ''), session_user), session_user, action, subject, detail);
END;
$$;

COMMENT ON FUNCTION nexus.record(text, text, jsonb, text) IS 'Puts an act on record in nexus.audit, in the transaction that does it.';

-- The node is told where it is not writing the sight already.
CREATE FUNCTION nexus.look(node text, what text, by text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id CONSTANT text := nexus.node_id(node);
    seen boolean;
BEGIN
    IF id = '*' OR what IS NULL OR length(what) > 300 OR NOT (what IN ('tree', 'status', 'config') OR what LIKE 'actor _%') THEN
        RAISE EXCEPTION 'nexus.look: expected one node, and what to be tree, status, config or "actor NAME"' USING ERRCODE = '22023';
    END IF;
    SELECT l.until > clock_timestamp() INTO seen FROM nexus.looks AS l WHERE l.node = id AND l.what = look.what;
    IF seen IS NULL AND (SELECT count(*) FROM nexus.looks AS l WHERE l.node = id) >= 100 THEN
        DELETE FROM nexus.looks AS l WHERE l.node = id AND l.until < clock_timestamp();
        IF NOT FOUND THEN
            RAISE EXCEPTION 'nexus.look: a hundred things of this node are looked at already' USING ERRCODE = '22023';
        END IF;
    END IF;
    INSERT INTO nexus.looks AS l (node, what, until, by)
    VALUES (id, look.what, clock_timestamp() + interval '10 s', left(look.by, 255))
    ON CONFLICT ON CONSTRAINT looks_pkey DO UPDATE SET until = excluded.until, by = excluded.by;
    -- Where the queue of notifications fills, the node finds it by itself, later.
    IF seen IS NOT TRUE AND pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('nexus_looks', id);
    END IF;
END;
$$;

COMMENT ON FUNCTION nexus.look(text, text, text) IS
    'Has a node write a sight of itself into nexus.sights each second, for ten seconds: to be repeated while somebody looks.';

CREATE FUNCTION nexus.command(
    node text, action text, actor text DEFAULT '', now boolean DEFAULT false, why text DEFAULT NULL, by text DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id CONSTANT text := nexus.node_id(node);
    is_now text;
    made bigint;
BEGIN
    IF action IS NULL OR action NOT IN ('restart', 'stop', 'start', 'reload') THEN
        RAISE EXCEPTION 'nexus.command: expected restart, stop, start or reload, not %', coalesce(quote_literal(left(action, 100)), 'null')
            USING ERRCODE = '22023';
    END IF;
    IF action = 'reload' AND coalesce(actor, '') <> '' THEN
        RAISE EXCEPTION 'nexus.command: expected no actor with reload' USING ERRCODE = '22023';
    END IF;
    IF action <> 'reload' AND coalesce(length(actor), 0) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION 'nexus.command: expected the name of the actor to %, of 255 characters at most', action USING ERRCODE = '22023';
    END IF;
    IF length(why) > 1000 OR length(by) > 255 THEN
        RAISE EXCEPTION 'nexus.command: expected a by of 255 characters at most, a why of 1000' USING ERRCODE = '22023';
    END IF;
    SELECT n.state INTO is_now FROM nexus.node_states AS n WHERE n.node = id;
    IF is_now IS NULL OR is_now IN ('lost', 'stopped') THEN
        RAISE EXCEPTION 'nexus.command: expected one node that runs; % is %', id, coalesce(is_now, 'none') USING ERRCODE = '22023';
    END IF;
    INSERT INTO nexus.commands (node, action, actor, now, by, why)
    VALUES (id, command.action, coalesce(command.actor, ''), coalesce(command.now, false),
            coalesce(nullif(command.by, ''), session_user), command.why)
    RETURNING number INTO made;
    PERFORM nexus.record(
        command.action, CASE WHEN command.action = 'reload' THEN id ELSE format('%s on %s', command.actor, id) END,
        jsonb_strip_nulls(jsonb_build_object('command', made, 'now', nullif(command.now, false), 'why', command.why)), command.by);
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('nexus_looks', id);
    END IF;
    RETURN made;
END;
$$;

COMMENT ON FUNCTION nexus.command(text, text, text, boolean, text, text) IS
    'Orders one node to restart, stop or start an actor, or to reload its config; the order''s number in nexus.commands, which tells what came of it.';

-- The dead letter's queue is one that the caller may delete from, and what is changed looks as nexus.dead_letter makes it, so that nobody
-- changes what waits in another queue: a request, or a result that was paid.
CREATE FUNCTION nexus.edit_letter(
    number bigint, request jsonb, by text DEFAULT NULL, queue text DEFAULT 'ai_requests_dead'
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named CONSTANT text := format('pgmq.%I', 'q_' || queue);
    letter jsonb;
    before jsonb;
    edits jsonb;
    id text;
    changed text[];
BEGIN
    IF to_regclass(named) IS NULL OR NOT has_table_privilege(session_user, to_regclass(named), 'DELETE')
       OR EXISTS (SELECT FROM nexus.request_queues AS k WHERE k.name = edit_letter.queue) THEN
        RAISE EXCEPTION 'nexus.edit_letter: expected queue to be one of dead letters' USING ERRCODE = '22023';
    END IF;
    IF jsonb_typeof(request) IS DISTINCT FROM 'object' OR pg_column_size(request) > 16 * 1024 * 1024 THEN
        RAISE EXCEPTION 'nexus.edit_letter: expected the request to be a JSON object of 16 MB at most' USING ERRCODE = '22023';
    END IF;
    IF length(by) > 255 THEN
        RAISE EXCEPTION 'nexus.edit_letter: expected a by of 255 characters at most' USING ERRCODE = '22023';
    END IF;
    EXECUTE format('SELECT q.message FROM %s AS q WHERE q.msg_id = $1 FOR UPDATE SKIP LOCKED', named) INTO letter USING number;
    IF letter IS NULL THEN
        RAISE EXCEPTION 'nexus.edit_letter: there is no letter %, or somebody else has it in hand', number USING ERRCODE = '22023';
    END IF;
    IF jsonb_typeof(letter) = 'object' AND NOT letter ?& '{reason,request}' AND NOT letter ? 'result' THEN
        RAISE EXCEPTION 'nexus.edit_letter: % is no dead letter: expected it to have a reason and a request', number USING ERRCODE = '22023';
    END IF;
    IF jsonb_typeof(letter) <> 'object' OR letter ? 'result' AND NOT letter ? 'request' THEN
        RAISE EXCEPTION 'nexus.edit_letter: the letter % holds no request', number USING ERRCODE = '22023';
    END IF;
    before := letter -> 'request';
    IF jsonb_typeof(letter -> 'request_id') = 'string' THEN
        id := letter ->> 'request_id';
        IF jsonb_typeof(request -> 'request_id') = 'string' AND request ->> 'request_id' <> id THEN
            RAISE EXCEPTION 'nexus.edit_letter: expected the request_id to stay what it was' USING ERRCODE = '22023';
        END IF;
    ELSIF jsonb_typeof(request -> 'request_id') = 'string' AND length(request ->> 'request_id') BETWEEN 1 AND 255 THEN
        id := request ->> 'request_id';
    ELSE
        RAISE EXCEPTION 'nexus.edit_letter: expected a request_id of 1 to 255 characters, since the letter has none' USING ERRCODE = '22023';
    END IF;
    SELECT array_agg(k.name ORDER BY k.name) INTO changed
    FROM (SELECT left(coalesce(o.key, n.key), 100) AS name
          FROM jsonb_each(CASE WHEN jsonb_typeof(before) = 'object' THEN before ELSE '{}' END) AS o
          FULL JOIN jsonb_each(request) AS n ON n.key = o.key
          WHERE o.value IS DISTINCT FROM n.value
          ORDER BY 1
          LIMIT 50) AS k;
    IF changed IS NULL THEN
        RETURN;
    END IF;
    -- The first is what was sent. Of more than ten the others go, oldest first.
    edits := CASE WHEN jsonb_typeof(letter -> 'edits') = 'array' THEN letter -> 'edits' ELSE '[]' END;
    IF jsonb_array_length(edits) >= 10 THEN
        edits := edits - 1;
    END IF;
    edits := edits || jsonb_build_array(jsonb_build_object(
        'at', now(), 'by', coalesce(nullif(edit_letter.by, ''), session_user), 'changed', changed, 'request', before));
    EXECUTE format('UPDATE %s AS q SET message = $2 WHERE q.msg_id = $1', named)
    USING number, letter || jsonb_build_object('request_id', id, 'request', request, 'edits', edits);
    PERFORM nexus.record('edit', format('letter %s', number), jsonb_build_object('request_id', left(id, 255), 'changed', changed), by);
END;
$$;

COMMENT ON FUNCTION nexus.edit_letter(bigint, jsonb, text, text) IS
    'Replaces the request of a dead letter, so that it can be retried; what was there is kept in the letter (edits), and the names of the fields that changed are on record.';
