-- Three roles with just what they need, for a database that an owner has prepared (nexus db migrate). Safe to repeat, and to be
-- repeated after an upgrade. One statement: it is done wholly or not at all, and what is missing is said first. Give each role a
-- password (ALTER ROLE … PASSWORD …) or another way to log in.
DO $roles$
DECLARE
    role text;
    lacking text;
BEGIN
    SELECT string_agg(w.name, ', ' ORDER BY w.place) INTO lacking
    FROM unnest(ARRAY[
        'pgmq.q_{requests}', 'pgmq.a_{requests}', 'pgmq.q_{results}', 'pgmq.a_{results}', 'pgmq.q_{dead}', 'pgmq.a_{dead}',
        'nexus.request_queues', 'public.job_results']) WITH ORDINALITY AS w (name, place)
    WHERE NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                      WHERE n.nspname || '.' || c.relname = w.name);
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION 'the database % has no %', current_database(), lacking
            USING ERRCODE = '42P01', HINT = 'Run this first, as the owner of the database: nexus db migrate';
    END IF;

    -- What is not the caller's to grant: PGMQ's schema, where an extension made it; a table of another owner.
    SELECT string_agg(format('%s (owner: %s)', t.name, t.owner), ', ') FILTER (WHERE t.place <= 5)
           || CASE WHEN count(*) > 5 THEN format(' and %s more', count(*) - 5) ELSE '' END INTO lacking
    FROM (SELECT u.*, row_number() OVER (ORDER BY u.name) AS place FROM (
        SELECT 'schema ' || n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner
        FROM pg_namespace AS n
        WHERE n.nspname IN ('pgmq', 'nexus')
              AND NOT has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
              AND EXISTS (
                  SELECT FROM unnest(ARRAY['{service}', '{producer}', '{operator}']) AS r (name)
                  LEFT JOIN pg_roles AS p ON p.rolname = r.name
                  WHERE p.oid IS NULL OR NOT has_schema_privilege(p.oid, n.oid, 'USAGE'))
        UNION ALL
        SELECT format('%s.%s', n.nspname, c.relname), pg_get_userbyid(c.relowner)
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v') AND NOT has_table_privilege(c.oid, 'SELECT WITH GRANT OPTION')
              AND (n.nspname = 'nexus' OR n.nspname = 'public' AND c.relname = 'job_results'
                   OR n.nspname = 'pgmq' AND substr(c.relname, 3) IN ('{requests}', '{results}', '{dead}'))
    ) AS u) AS t;
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION 'the role % cannot grant what belongs to another: %', current_user, lacking
            USING ERRCODE = '42501', HINT = 'Run this as the owner, or as a superuser.';
    END IF;

    SELECT string_agg(format('CREATE ROLE "%s" LOGIN;', r.name), ' ' ORDER BY r.place) INTO lacking
    FROM unnest(ARRAY['{service}', '{producer}', '{operator}']) WITH ORDINALITY AS r (name, place)
    WHERE NOT EXISTS (SELECT FROM pg_roles AS p WHERE p.rolname = r.name);
    IF lacking IS NOT NULL AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'the role % has no right to create roles (CREATEROLE)', current_user
            USING ERRCODE = '42501', HINT = format('A role that has it may do that first: %s Then repeat this as %s.', lacking, current_user);
    END IF;
    FOREACH role IN ARRAY ARRAY['{service}', '{producer}', '{operator}'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role);
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- somebody was quicker
        END;
    END LOOP;

    -- Earlier releases let a producer write every column: delivery counts, times, numbers.
    REVOKE ALL ON pgmq.q_{requests} FROM "{producer}";

    -- The service: leases, finishes, archives, journals. It can create, drop and purge nothing. At its start it looks whether it
    -- has what is granted here.
    GRANT USAGE ON SCHEMA pgmq, nexus TO "{service}";
    GRANT SELECT, UPDATE, DELETE ON pgmq.q_{requests} TO "{service}";
    GRANT SELECT, INSERT, DELETE ON pgmq.a_{requests}, pgmq.q_{dead}, pgmq.a_{results} TO "{service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.q_{results} TO "{service}";
    GRANT SELECT, INSERT, UPDATE ON nexus.attempts, nexus.rate_limits, nexus.spending TO "{service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.requests, nexus.model_quirks TO "{service}";
    GRANT SELECT, INSERT, DELETE ON nexus.reservations, nexus.assumed_costs TO "{service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.nodes TO "{service}";
    GRANT SELECT, INSERT, UPDATE ON nexus.chores TO "{service}";
    GRANT SELECT, DELETE ON nexus.cancellations TO "{service}";
    GRANT SELECT, DELETE ON nexus.control TO "{service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.sums, nexus.totals, nexus.backlog TO "{service}";
    GRANT SELECT, INSERT, UPDATE ON nexus.sums_progress, nexus.sights TO "{service}";
    GRANT SELECT, DELETE ON nexus.looks, nexus.commands TO "{service}";
    GRANT UPDATE (taken_at, ended_at, outcome) ON nexus.commands TO "{service}";
    GRANT SELECT ON nexus.migrations, nexus.steps, nexus.request_queues, nexus.node_states TO "{service}";
    GRANT SELECT, INSERT ON public.job_results TO "{service}";
    -- Results that it stores with the end of their request are filed in the archive under numbers of their queue. Without it they
    -- go by the queue, which costs more.
    GRANT USAGE ON SEQUENCE pgmq.q_{results}_msg_id_seq TO "{service}";
    -- What an operator sent again under its own id (nexus dead retry --same-id). A service starts and stores all else without it.
    GRANT UPDATE (status, input, output, error, tokens_used, cost_cents, duration_ms, updated_at, completed_at)
        ON public.job_results TO "{service}";
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA nexus TO "{service}";
    -- What operators want is theirs to say.
    EXECUTE (SELECT string_agg(format('REVOKE EXECUTE ON FUNCTION %s FROM %I', p.oid::regprocedure, '{service}'), ';')
             FROM pg_proc AS p
             WHERE p.pronamespace = 'nexus'::regnamespace
                   AND p.proname IN ('pause', 'resume', 'scale', 'drain', 'log_level', 'cancel', 'cancel_where', 'cancellable',
                                     'command', 'edit_letter', 'record'));
    REVOKE EXECUTE ON FUNCTION nexus.send(jsonb, integer, text), nexus.send_again(text, text, bigint, jsonb) FROM "{service}";

    -- A producer: sends requests, cancels those whose id it knows, reads stored results. It can read no request, its own included. pgmq.send needs the columns;
    -- nexus.send does not.
    GRANT USAGE ON SCHEMA pgmq, nexus TO "{producer}";
    GRANT INSERT (vt, message, headers), SELECT (msg_id) ON pgmq.q_{requests} TO "{producer}";
    GRANT EXECUTE ON FUNCTION nexus.send(jsonb, integer, text), nexus.cancel(text, text, text) TO "{producer}";
    GRANT SELECT ON public.job_results TO "{producer}";

    -- An operator: the commands dead, ask, enqueue, result, explain, budgets, models, nodes, top, and those that steer. It sees
    -- requests that have ended, the journal and the results, sends and deletes what failed, says what the services are to do, and
    -- changes nothing else.
    GRANT USAGE ON SCHEMA pgmq, nexus TO "{operator}";
    GRANT INSERT (vt, message, headers), SELECT (msg_id, vt, enqueued_at) ON pgmq.q_{requests} TO "{operator}";
    GRANT INSERT (vt, message, headers), SELECT (msg_id, vt, enqueued_at) ON pgmq.q_{results} TO "{operator}";
    GRANT SELECT, DELETE, UPDATE (vt) ON pgmq.q_{dead} TO "{operator}";
    GRANT SELECT, INSERT ON pgmq.a_{dead} TO "{operator}";
    -- A request or a result that was too large for its letter is sent again from the archive.
    GRANT SELECT (msg_id, message) ON pgmq.a_{requests}, pgmq.a_{results} TO "{operator}";
    EXECUTE (SELECT string_agg(format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, '{operator}'), ';')
             FROM pg_proc AS p
             WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname IN (
                 'read_message', 'open_message', 'open_any_message', 'find_queued', 'send_again', 'traceparent', 'node_id',
                 'pause', 'resume', 'scale', 'drain', 'log_level', 'waiting_requests', 'cancel', 'cancel_where', 'cancellable',
                 'look', 'command', 'edit_letter', 'record', 'latency_bounds'));
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.control TO "{operator}";
    GRANT SELECT ON nexus.requests, nexus.attempts, nexus.steps, nexus.spending, nexus.reservations, nexus.migrations,
        nexus.nodes, nexus.chores, nexus.node_states, nexus.control_log, nexus.waiting, nexus.request_queues, nexus.model_quirks,
        nexus.sums, nexus.totals, nexus.backlog, nexus.sums_progress, nexus.looks, nexus.sights, nexus.commands, nexus.audit TO "{operator}";
    GRANT SELECT, INSERT (request_id, by, why), DELETE ON nexus.cancellations TO "{operator}";
    GRANT DELETE ON nexus.model_quirks TO "{operator}";
    GRANT EXECUTE ON FUNCTION nexus.send(jsonb, integer, text) TO "{operator}";
    GRANT SELECT ON public.job_results TO "{operator}";
END;
$roles$;
