-- What an operator wants of the services: rows, so that all processes obey them, after a restart too, and so that SQL can say it.
-- Works with programs that know 0025.

-- So that an upgrade can be taken back: an earlier program may start on a later database, if it can work with it.
ALTER TABLE nexus.migrations ADD COLUMN works_with integer;
COMMENT ON COLUMN nexus.migrations.works_with IS
    'Programs whose last migration is this one, or a later one, work with the database as it is since; null: only those that have it.';

CREATE TABLE nexus.control (
    action  text NOT NULL CHECK (action IN ('pause', 'concurrency', 'drain', 'log_level')),
    subject text NOT NULL CHECK (subject IN ('queue', 'provider', 'model', 'agent', 'node')),
    name    text NOT NULL DEFAULT '' CHECK (length(name) <= 255),
    node    text NOT NULL DEFAULT '*' CHECK (length(node) BETWEEN 1 AND 255),
    value   text,
    until   timestamptz CHECK (until > '1970-01-01 00:00:00+00'),
    by      text NOT NULL DEFAULT session_user CHECK (length(by) BETWEEN 1 AND 255),
    why     text CHECK (length(why) <= 1000),
    since   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (action, subject, name, node),
    CONSTRAINT control_says_what CHECK (
        coalesce(CASE action
            WHEN 'pause' THEN subject <> 'node' AND name <> ''
                 AND (coalesce(value, 'wait') = 'wait' OR value = 'fallback' AND subject IN ('provider', 'model'))
            WHEN 'concurrency' THEN subject = 'provider' AND name <> '' AND value ~ '^[1-9][0-9]{0,3}$'
            WHEN 'drain' THEN subject = 'node' AND name = '' AND value IS NULL
            WHEN 'log_level' THEN subject = 'node' AND name = '' AND value IN ('debug', 'info', 'warning', 'error', 'critical')
        END, false))
);

COMMENT ON TABLE nexus.control IS
    'What should be: one row for each pause, concurrency, drain and log level that an operator has set. Deleted, it holds no longer.';
COMMENT ON COLUMN nexus.control.action IS
    'pause (a queue, provider, model or agent), concurrency (of a provider), drain or log_level (of a node).';
COMMENT ON COLUMN nexus.control.subject IS 'Of what kind `name` is; node where the row is about nodes themselves.';
COMMENT ON COLUMN nexus.control.name IS
    'The queue, provider, model (MODEL or PROVIDER/MODEL) or agent; of models and agents a glob. Empty where subject is node.';
COMMENT ON COLUMN nexus.control.node IS 'Which node obeys: its id (nexus.nodes.node) or its name; * is all.';
COMMENT ON COLUMN nexus.control.value IS
    'concurrency: calls at once, on each node. log_level: the level. pause: wait (or null), or fallback: routes take their next model.';
COMMENT ON COLUMN nexus.control.until IS 'When it holds no longer; null: until the row is deleted.';
COMMENT ON COLUMN nexus.control.by IS 'Who wants it, as they say.';
COMMENT ON COLUMN nexus.control.why IS 'Why, as they say.';
COMMENT ON COLUMN nexus.control.since IS 'When it was set.';

CREATE TABLE nexus.control_log (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    by      text NOT NULL,
    role    text NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    name    text NOT NULL,
    node    text NOT NULL,
    before  jsonb,
    after   jsonb
);

COMMENT ON TABLE nexus.control_log IS 'Every change of nexus.control, whoever made it and how.';
COMMENT ON COLUMN nexus.control_log.number IS 'Changes in their order.';
COMMENT ON COLUMN nexus.control_log.at IS 'When its transaction began.';
COMMENT ON COLUMN nexus.control_log.by IS 'Who, as they said; where they said nothing, the role.';
COMMENT ON COLUMN nexus.control_log.role IS 'The role that was logged in, as the server knows it.';
COMMENT ON COLUMN nexus.control_log.action IS 'As in nexus.control.';
COMMENT ON COLUMN nexus.control_log.subject IS 'As in nexus.control.';
COMMENT ON COLUMN nexus.control_log.name IS 'As in nexus.control.';
COMMENT ON COLUMN nexus.control_log.node IS 'As in nexus.control.';
COMMENT ON COLUMN nexus.control_log.before IS 'The row''s other columns as they were; null: there was none.';
COMMENT ON COLUMN nexus.control_log.after IS 'The row''s other columns as they are since; null: it was deleted.';

-- Runs as the owner: who may change the table need not be able to write, or change, what is on record of it.
CREATE FUNCTION nexus.log_control() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key CONSTANT text[] := ARRAY['action', 'subject', 'name', 'node'];
    said text := nullif(current_setting('nexus.by', true), '');
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.action, OLD.subject, OLD.name, OLD.node) <> (NEW.action, NEW.subject, NEW.name, NEW.node) THEN
        INSERT INTO nexus.control_log (by, role, action, subject, name, node, before, after) VALUES
            (coalesce(said, session_user), session_user, OLD.action, OLD.subject, OLD.name, OLD.node, to_jsonb(OLD) - key, NULL),
            (NEW."by", session_user, NEW.action, NEW.subject, NEW.name, NEW.node, NULL, to_jsonb(NEW) - key);
    ELSIF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
        NULL;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO nexus.control_log (by, role, action, subject, name, node, before, after) VALUES
            (coalesce(said, session_user), session_user, OLD.action, OLD.subject, OLD.name, OLD.node, to_jsonb(OLD) - key, NULL);
    ELSE
        INSERT INTO nexus.control_log (by, role, action, subject, name, node, before, after) VALUES
            (NEW."by", session_user, NEW.action, NEW.subject, NEW.name, NEW.node,
             CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) - key END, to_jsonb(NEW) - key);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON nexus.control
FOR EACH ROW EXECUTE FUNCTION nexus.log_control();

-- Else it would empty the table without a line.
CREATE FUNCTION nexus.log_control_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO nexus.control_log (by, role, action, subject, name, node, before, after)
    SELECT coalesce(nullif(current_setting('nexus.by', true), ''), session_user), session_user, c.action, c.subject, c.name, c.node,
           to_jsonb(c) - ARRAY['action', 'subject', 'name', 'node'], NULL
    FROM nexus.control AS c;
    RETURN NULL;
END;
$$;

CREATE TRIGGER log_truncate BEFORE TRUNCATE ON nexus.control FOR EACH STATEMENT EXECUTE FUNCTION nexus.log_control_truncate();

CREATE TRIGGER notify_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.control
FOR EACH STATEMENT EXECUTE FUNCTION nexus.notify_insert('nexus_control');

-- Set one row, whoever set it before.
CREATE FUNCTION nexus.set_control(
    action text, subject text, name text, node text, value text, until timestamptz, why text, by text
) RETURNS nexus.control LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made nexus.control;
    named text := coalesce(node, '*');
BEGIN
    IF named <> '*' THEN
        named := nexus.node_id(named);
    END IF;
    IF until <= clock_timestamp() THEN
        RAISE EXCEPTION 'nexus.%: expected until to be a time to come, it is %', action, until USING ERRCODE = '22023';
    END IF;
    IF length(name) > 255 OR length(why) > 1000 OR length(by) > 255 THEN
        RAISE EXCEPTION 'nexus.%: expected a name and a by of 255 characters at most, a why of 1000', action USING ERRCODE = '22023';
    END IF;
    INSERT INTO nexus.control AS c (action, subject, name, node, value, until, by, why)
    VALUES (action, subject, name, named, value, until, coalesce(nullif(by, ''), session_user), why)
    ON CONFLICT ON CONSTRAINT control_pkey DO UPDATE
    SET value = excluded.value, until = excluded.until, by = excluded.by, why = excluded.why, since = excluded.since
    RETURNING c.* INTO made;
    RETURN made;
END;
$$;

CREATE FUNCTION nexus.delete_control(action text, subject text, name text, node text, by text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    count integer;
    named text := node;
BEGIN
    IF named <> '*' THEN
        named := nexus.node_id(named);
    END IF;
    PERFORM set_config('nexus.by', coalesce(by, ''), true);
    DELETE FROM nexus.control AS c
    WHERE c.action = delete_control.action AND c.subject = delete_control.subject AND c.name = delete_control.name
          AND (named IS NULL OR c.node IN (named, delete_control.node));
    GET DIAGNOSTICS count = ROW_COUNT;
    PERFORM set_config('nexus.by', '', true);
    RETURN count;
END;
$$;

-- The name of what is to be paused, checked.
CREATE FUNCTION nexus.control_name(subject text, name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text[];
BEGIN
    IF subject IS NULL OR subject NOT IN ('queue', 'provider', 'model', 'agent', 'node') THEN
        RAISE EXCEPTION 'expected queue, provider, model, agent or node, not %', coalesce(quote_literal(left(subject, 100)), 'null')
            USING ERRCODE = '22023';
    END IF;
    IF subject = 'queue' THEN
        SELECT array_agg(q.name ORDER BY q.name) INTO known FROM nexus.request_queues AS q
        WHERE q.name = coalesce(nullif(control_name.name, ''), q.name);
        IF cardinality(known) IS DISTINCT FROM 1 THEN
            RAISE EXCEPTION 'expected the name of one queue of: %',
                (SELECT string_agg(q.name, ', ' ORDER BY q.name) FROM nexus.request_queues AS q) USING ERRCODE = '22023';
        END IF;
        RETURN known[1];
    END IF;
    IF coalesce(name, '') = '' THEN
        RAISE EXCEPTION 'expected the name of the %', subject USING ERRCODE = '22023';
    END IF;
    RETURN name;
END;
$$;

CREATE FUNCTION nexus.drain(
    node text, until timestamptz DEFAULT NULL, why text DEFAULT NULL, by text DEFAULT NULL
) RETURNS nexus.control LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT nexus.set_control('drain', 'node', '', nexus.control_name('node', node), NULL, until, why, by)
$$;

CREATE FUNCTION nexus.pause(
    subject text, name text DEFAULT NULL, until timestamptz DEFAULT NULL, why text DEFAULT NULL,
    fallback boolean DEFAULT false, node text DEFAULT '*', by text DEFAULT NULL
) RETURNS nexus.control LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text := nexus.control_name(subject, name);
BEGIN
    IF subject = 'node' THEN
        RETURN nexus.set_control('drain', 'node', '', named, NULL, until, why, by);
    END IF;
    IF fallback AND subject NOT IN ('provider', 'model') THEN
        RAISE EXCEPTION 'nexus.pause: expected fallback with a provider or a model, the others have no next one' USING ERRCODE = '22023';
    END IF;
    RETURN nexus.set_control('pause', subject, named, node, CASE WHEN fallback THEN 'fallback' ELSE 'wait' END, until, why, by);
END;
$$;

CREATE FUNCTION nexus.resume(subject text, name text DEFAULT NULL, node text DEFAULT NULL, by text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text := nexus.control_name(subject, name);
BEGIN
    IF subject = 'node' THEN
        RETURN nexus.delete_control('drain', 'node', '', named, by);
    END IF;
    RETURN nexus.delete_control('pause', subject, named, node, by);
END;
$$;

CREATE FUNCTION nexus.scale(
    provider text, concurrency integer, until timestamptz DEFAULT NULL, why text DEFAULT NULL,
    node text DEFAULT '*', by text DEFAULT NULL
) RETURNS nexus.control LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text := nexus.control_name('provider', provider);
BEGIN
    IF concurrency IS NULL THEN
        PERFORM nexus.delete_control('concurrency', 'provider', named, node, by);
        RETURN NULL;
    END IF;
    IF concurrency NOT BETWEEN 1 AND 9999 THEN
        RAISE EXCEPTION 'nexus.scale: expected a concurrency of 1 to 9999 (nexus.pause for none), or null for the config''s'
            USING ERRCODE = '22023';
    END IF;
    RETURN nexus.set_control('concurrency', 'provider', named, node, concurrency::text, until, why, by);
END;
$$;

CREATE FUNCTION nexus.log_level(
    level text, until timestamptz DEFAULT NULL, why text DEFAULT NULL, node text DEFAULT '*', by text DEFAULT NULL
) RETURNS nexus.control LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF level IS NULL THEN
        PERFORM nexus.delete_control('log_level', 'node', '', node, by);
        RETURN NULL;
    END IF;
    IF level NOT IN ('debug', 'info', 'warning', 'error', 'critical') THEN
        RAISE EXCEPTION 'nexus.log_level: expected debug, info, warning, error or critical, or null for the config''s'
            USING ERRCODE = '22023';
    END IF;
    RETURN nexus.set_control('log_level', 'node', '', node, level, until, why, by);
END;
$$;

COMMENT ON FUNCTION nexus.pause(text, text, timestamptz, text, boolean, text, text) IS
    'Pauses a queue, provider, model, agent or node: its requests wait, or (fallback) go to the next model of their route.';
COMMENT ON FUNCTION nexus.resume(text, text, text, text) IS
    'Ends what nexus.pause or nexus.drain has set, on all nodes or one; how many rows that were.';
COMMENT ON FUNCTION nexus.scale(text, integer, timestamptz, text, text, text) IS
    'So many calls to a provider at once, on each node; null: as many as each node''s config says.';
COMMENT ON FUNCTION nexus.drain(text, timestamptz, text, text) IS
    'A node finishes its calls and begins none, also after a restart, until nexus.resume(''node'', …).';
COMMENT ON FUNCTION nexus.log_level(text, timestamptz, text, text, text) IS 'The level of a node''s log; null: its config''s.';
COMMENT ON FUNCTION nexus.set_control(text, text, text, text, text, timestamptz, text, text) IS 'Sets one row of nexus.control, checked.';
COMMENT ON FUNCTION nexus.delete_control(text, text, text, text, text) IS 'Deletes of nexus.control what has this key; of all nodes where node is null.';
COMMENT ON FUNCTION nexus.control_name(text, text) IS 'The name of what is to be paused, checked.';
