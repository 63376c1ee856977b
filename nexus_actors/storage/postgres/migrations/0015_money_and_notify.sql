-- What an answer that came too late has cost; dead letters whose making cannot fail; results that are read by their size; and
-- notifications that fail nobody.

-- A server whose queue of notifications is full fails every transaction that has notified. Somebody who listens and idles in a
-- transaction is enough for that, so above half of it we say nothing: polling is the rule.
CREATE OR REPLACE FUNCTION nexus.notify_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_catalog.pg_notify(TG_ARGV[0], '');
    END IF;
    RETURN NULL;
END;
$$;

ALTER TABLE nexus.requests ADD COLUMN result_trouble text;
COMMENT ON COLUMN nexus.requests.result_trouble IS
    'Why the result was not stored in job_results when that was tried last; told while there is no row.';

-- An interrupted attempt settles what was reserved for it. Its owner may still come and tell what it has cost.
CREATE TABLE nexus.assumed_costs (
    request_id text NOT NULL,
    number     integer NOT NULL,
    owner      text NOT NULL,
    budget     text NOT NULL,
    period     date NOT NULL,
    dollars    numeric NOT NULL,
    PRIMARY KEY (request_id, number, owner, budget)
);

COMMENT ON TABLE nexus.assumed_costs IS 'What interrupted attempts are taken to have cost, until who made them tells.';
COMMENT ON COLUMN nexus.assumed_costs.request_id IS 'The request.';
COMMENT ON COLUMN nexus.assumed_costs.number IS 'The number that the attempt had for who made it.';
COMMENT ON COLUMN nexus.assumed_costs.owner IS 'The service instance that made it.';
COMMENT ON COLUMN nexus.assumed_costs.budget IS 'The budget.';
COMMENT ON COLUMN nexus.assumed_costs.period IS 'Its day or month.';
COMMENT ON COLUMN nexus.assumed_costs.dollars IS 'US dollars that are in nexus.spending.spent for it.';

CREATE OR REPLACE FUNCTION nexus.settle_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM nexus.spending AS s
    WHERE (s.budget, s.period) IN (
        SELECT r.budget, r.period
        FROM nexus.reservations AS r
        JOIN recorded AS a ON a.request_id = r.request_id
             AND (a.number = r.number OR a.number < r.number AND a.outcome = 'interrupted'))
    ORDER BY s.budget, s.period
    FOR UPDATE;

    WITH gone AS (
        DELETE FROM nexus.reservations AS r
        USING recorded AS a
        WHERE a.request_id = r.request_id
              AND (a.number = r.number OR a.number < r.number AND a.outcome = 'interrupted')
        RETURNING r.request_id, r.number, r.budget, r.period, r.dollars, a.owner,
                  a.outcome = 'interrupted' AND a.provider IS NULL AS assumed,
                  coalesce(a.cost, CASE WHEN a.outcome = 'ok' OR a.maybe_paid THEN r.dollars ELSE 0 END) AS cost
    ),
    noted AS (
        INSERT INTO nexus.assumed_costs (request_id, number, owner, budget, period, dollars)
        SELECT request_id, number, owner, budget, period, cost FROM gone WHERE assumed
        ON CONFLICT DO NOTHING
    ),
    total AS (
        SELECT budget, period, sum(dollars) AS dollars, sum(cost) AS cost FROM gone GROUP BY budget, period
    )
    UPDATE nexus.spending AS s
    SET reserved = greatest(s.reserved - t.dollars, 0), spent = s.spent + t.cost
    FROM total AS t
    WHERE s.budget = t.budget AND s.period = t.period;
    RETURN NULL;
END;
$$;

CREATE FUNCTION nexus.correct_spending(
    request text, attempt integer, who text, actual numeric, was_paid boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM nexus.spending AS s
    JOIN nexus.assumed_costs AS a ON a.budget = s.budget AND a.period = s.period
    WHERE a.request_id = request AND a.number = attempt AND a.owner = who
    ORDER BY s.budget, s.period
    FOR UPDATE OF s;

    WITH gone AS (
        DELETE FROM nexus.assumed_costs AS a
        WHERE a.request_id = request AND a.number = attempt AND a.owner = who
        RETURNING a.budget, a.period, a.dollars,
                  coalesce(actual, CASE WHEN was_paid THEN a.dollars ELSE 0 END) AS cost
    )
    UPDATE nexus.spending AS s
    SET spent = greatest(s.spent - g.dollars + g.cost, 0)
    FROM gone AS g
    WHERE s.budget = g.budget AND s.period = g.period;
END;
$$;

COMMENT ON FUNCTION nexus.correct_spending(text, integer, text, numeric, boolean) IS
    'Puts what an attempt has cost in the place of what it was taken to have cost.';

CREATE FUNCTION nexus.correct_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nexus.correct_spending(
        NEW.request_id, NEW.number, NEW.owner, NEW.cost, NEW.outcome = 'ok' OR NEW.maybe_paid);
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION nexus.correct_attempt() IS 'Trigger of nexus.attempts: an interrupted attempt is told rightly.';

CREATE TRIGGER correct AFTER UPDATE ON nexus.attempts FOR EACH ROW
WHEN (OLD.outcome = 'interrupted' AND OLD.provider IS NULL AND NEW.provider IS NOT NULL)
EXECUTE FUNCTION nexus.correct_attempt();

-- Record attempts (JSON) that instance `who` made for requests that another one has ended, or holds by now. An attempt that was
-- taken for interrupted is told rightly; one whose number is another's gets the next that is free, far above those that who
-- holds the request may use. Safe to repeat: an attempt is known by who began it when.
-- Locks: journal rows in order of request_id.
CREATE FUNCTION nexus.record_late(who text, of_queue text, told json) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    a record;
    held nexus.requests;
    place integer;
    counted integer := 0;
BEGIN
    FOR a IN
        SELECT *, concat_ws('; ', 'answered too late: another process answered', t.error) AS remark
        FROM json_to_recordset(told) AS t (
            request_id text, msg_id bigint, number integer, provider text, model text, outcome text,
            status_code integer, duration_ms bigint, cost numeric, error text, maybe_paid boolean,
            spared boolean, dropped text[], first_text_ms integer, key_name text, cost_basis text,
            started_at timestamptz)
        ORDER BY t.request_id, t.number
    LOOP
        SELECT * INTO held FROM nexus.requests AS r
        WHERE r.request_id = a.request_id AND r.queue = of_queue AND r.msg_id = a.msg_id
        FOR UPDATE;
        CONTINUE WHEN NOT FOUND OR EXISTS (
            SELECT FROM nexus.attempts AS t
            WHERE t.request_id = a.request_id AND t.owner = who AND t.started_at = a.started_at
                  AND t.provider IS NOT NULL);
        counted := counted + 1;
        UPDATE nexus.attempts AS t
        SET provider = a.provider, model = a.model, outcome = a.outcome, status_code = a.status_code,
            duration_ms = a.duration_ms, cost = a.cost, error = a.remark, maybe_paid = a.maybe_paid,
            spared = a.spared, dropped = a.dropped, first_text_ms = a.first_text_ms, key_name = a.key_name,
            cost_basis = a.cost_basis, started_at = a.started_at
        WHERE t.request_id = a.request_id AND t.number = a.number AND t.owner = who
              AND t.outcome = 'interrupted' AND t.provider IS NULL;
        CONTINUE WHEN FOUND;
        SELECT greatest(held.attempts, max(t.number)) + CASE WHEN held.finished_at IS NULL THEN 1001 ELSE 1 END
        INTO place FROM nexus.attempts AS t WHERE t.request_id = a.request_id;
        INSERT INTO nexus.attempts (
            request_id, number, provider, model, outcome, status_code, duration_ms, cost, error, maybe_paid,
            spared, dropped, first_text_ms, key_name, cost_basis, owner, started_at)
        VALUES (a.request_id, place, a.provider, a.model, a.outcome, a.status_code, a.duration_ms, a.cost, a.remark,
                a.maybe_paid, a.spared, a.dropped, a.first_text_ms, a.key_name, a.cost_basis, who, a.started_at);
        PERFORM nexus.correct_spending(
            a.request_id, a.number, who, a.cost, a.outcome = 'ok' OR a.maybe_paid);
        UPDATE nexus.requests AS r SET attempts = place
        WHERE r.request_id = a.request_id AND r.finished_at IS NOT NULL;
    END LOOP;
    RETURN counted;
END;
$$;

COMMENT ON FUNCTION nexus.record_late(text, text, json) IS
    'Records attempts whose request another process has ended, or holds by now; how many were new.';

-- A dead letter about `message`, which is under `name` in it. Where that would be too large for a jsonb, or more than 32 MB, it
-- holds a few of its fields instead, and `kept_as`, the number under which the message is in the archive.
CREATE FUNCTION nexus.dead_letter(message jsonb, name text, about jsonb, kept_as bigint) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    largest CONSTANT bigint := 32 * 1024 * 1024;
    bytes bigint := pg_column_size(message);
    excerpt jsonb;
BEGIN
    -- No compression that there is makes less than a 255th of it.
    IF message IS NULL OR bytes <= largest / 256 THEN
        RETURN about || jsonb_build_object(name, message);
    END IF;
    BEGIN
        bytes := pg_column_size(message #> '{}');  -- as it is when it is not compressed
        IF bytes <= largest THEN
            RETURN about || jsonb_build_object(name, message);
        END IF;
        SELECT jsonb_object_agg(f.name, left(message ->> f.name, 100)) INTO excerpt
        FROM unnest(ARRAY['request_id', 'agent_id', 'complexity', 'task_type', 'provider', 'model']) AS f (name)
        WHERE jsonb_typeof(message -> f.name) = 'string';
    EXCEPTION WHEN OTHERS THEN
        excerpt := NULL;
    END;
    RETURN about || jsonb_build_object(
        name, NULL, name || '_bytes', bytes, 'archived_msg_id', kept_as, 'excerpt', excerpt,
        'digest', to_hex(jsonb_hash_extended(message, 0)));
END;
$$;

COMMENT ON FUNCTION nexus.dead_letter(jsonb, text, jsonb, bigint) IS
    'A dead letter about a message: with it, or without it where it is too large for that.';

-- Read results of `queue` for `seconds`, `quantity` at most, `together` bytes at most but one at least: by the index on vt, as
-- nexus.open_message shows them. Whatever a row says of its deliveries and times, it harms no other.
CREATE FUNCTION nexus.read_results(
    queue text, quantity integer, seconds double precision, largest bigint, together bigint
) RETURNS TABLE (msg_id bigint, read_ct integer, body text, bytes bigint, fault text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    seen record;
    content text;
    size bigint;
    trouble text;
    total bigint := 0;
    ids bigint[] := '{}';
    bodies text[] := '{}';
    sizes bigint[] := '{}';
    faults text[] := '{}';
    -- Absent before PGMQ 1.8.
    noted text := CASE WHEN EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = format('pgmq.%I', 'q_' || queue)::regclass AND a.attname = 'last_read_at'
              AND NOT a.attisdropped) THEN ', last_read_at = clock_timestamp()' ELSE '' END;
BEGIN
    FOR seen IN EXECUTE format(
        'SELECT q.msg_id, q.message FROM pgmq.%I AS q WHERE q.vt <= now() ORDER BY q.vt LIMIT $1 FOR UPDATE SKIP LOCKED',
        'q_' || queue) USING quantity
    LOOP
        -- As nexus.open_message does, which is a statement of its own here.
        IF pg_column_compression(seen.message) IS NULL AND pg_column_size(seen.message) <= least(largest / 12300, 2000) THEN
            content := seen.message::text;
            size := octet_length(content);
            trouble := NULL;
        ELSE
            SELECT o.body, o.bytes, o.fault INTO content, size, trouble
            FROM nexus.open_any_message(seen.message, largest, false) AS o;
        END IF;
        total := total + coalesce(size, 0);
        EXIT WHEN total > together AND ids <> '{}';
        ids := array_append(ids, seen.msg_id);
        bodies := array_append(bodies, content);
        sizes := array_append(sizes, size);
        faults := array_append(faults, trouble);
    END LOOP;
    RETURN QUERY EXECUTE format(
        'UPDATE pgmq.%I AS q
         SET vt = clock_timestamp() + make_interval(secs => $5), read_ct = least(q.read_ct, 2147483646) + 1%s
         FROM unnest($1, $2, $3, $4) AS s (msg_id, body, bytes, fault)
         WHERE q.msg_id = s.msg_id
         RETURNING q.msg_id, q.read_ct, s.body, s.bytes, s.fault', 'q_' || queue, noted)
        USING ids, bodies, sizes, faults, seconds;
END;
$$;

COMMENT ON FUNCTION nexus.read_results(text, integer, double precision, bigint, bigint) IS
    'Reads results, bounded by their bytes.';
