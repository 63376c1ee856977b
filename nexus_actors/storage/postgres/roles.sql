-- Creates three roles with the least privileges that they need:
--
--   "{service}"   runs `nexus start`: takes requests from the queue, stores their results and keeps the journal.
--   "{producer}"  belongs to the programs that send requests and read their results.
--   "{operator}"  belongs to the people who watch and steer the service, by command, dashboard or SQL.
--
-- Run it as the owner of the database, after `nexus db migrate`, and again after each upgrade: a release may need new privileges.
-- Repeating it is safe. It is one statement, so it takes effect as a whole or not at all. Problems that can be foreseen (a
-- missing table, a missing right to grant or to create roles) are reported before anything is changed.
--
-- The roles can log in, but have no password yet: set one (ALTER ROLE … PASSWORD …), or allow another method in pg_hba.conf.
DO $roles$
DECLARE
    role text;
    lacking text;
BEGIN
    -- Check 1: has `nexus db migrate` created the tables?
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

    -- Check 2: may the current role grant privileges on all of them? It may not on the schema pgmq if CREATE EXTENSION created
    -- it for another role, nor on a table of another owner. A schema that all three roles can use already needs no grant.
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

    -- Check 3: may the current role create the roles that do not exist yet?
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
            NULL;  -- another session has created it in the meantime
        END;
    END LOOP;

    -- THE SERVICE reads and writes rows. It cannot create, alter, drop or truncate a table, send a request, or give itself an
    -- operator's orders. `nexus start` checks that its role has the privileges on tables and functions that are granted here,
    -- and names those that are missing.
    GRANT USAGE ON SCHEMA pgmq, nexus TO "{service}";
    -- Queues and archives: it leases requests (UPDATE), moves them to the archive or the dead letters (INSERT, DELETE), sends and
    -- reads results, and deletes what exceeds [retention].
    GRANT SELECT, UPDATE, DELETE ON pgmq.q_{requests} TO "{service}";
    GRANT SELECT, INSERT, DELETE ON pgmq.a_{requests}, pgmq.q_{dead}, pgmq.a_{results} TO "{service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.q_{results} TO "{service}";
    -- The journal, the rate limits and the budgets, and what it has learnt about models.
    GRANT SELECT, INSERT, UPDATE ON nexus.attempts, nexus.rate_limits, nexus.spending TO "{service}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.requests, nexus.model_quirks TO "{service}";
    GRANT SELECT, INSERT, DELETE ON nexus.reservations, nexus.assumed_costs TO "{service}";
    -- Its own row in the list of nodes, and the chores that one node does for all.
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.nodes TO "{service}";
    GRANT SELECT, INSERT, UPDATE ON nexus.chores TO "{service}";
    -- What operators want: it reads and obeys these rows, and deletes them once they have expired.
    GRANT SELECT, DELETE ON nexus.cancellations TO "{service}";
    GRANT SELECT, DELETE ON nexus.control TO "{service}";
    -- Sums of the journal, and what the dashboard and the observer show: their looks, the node's answers (sights) and orders.
    GRANT SELECT, INSERT, UPDATE, DELETE ON nexus.sums, nexus.totals, nexus.backlog TO "{service}";
    GRANT SELECT, INSERT, UPDATE ON nexus.sums_progress, nexus.sights TO "{service}";
    GRANT SELECT, DELETE ON nexus.looks, nexus.commands TO "{service}";
    GRANT UPDATE (taken_at, ended_at, outcome) ON nexus.commands TO "{service}";
    GRANT SELECT ON nexus.migrations, nexus.steps, nexus.request_queues, nexus.node_states TO "{service}";
    -- The results that applications read.
    GRANT SELECT, INSERT ON public.job_results TO "{service}";
    -- Optional: a result can be stored in the statement that ends its request. Its number in the archive comes from this sequence.
    -- Without the privilege, results take the slower way through the results queue.
    GRANT USAGE ON SEQUENCE pgmq.q_{results}_msg_id_seq TO "{service}";
    -- Optional: replaces the stored error of a request that an operator has sent again under its own id (`nexus dead retry
    -- --same-id`). Without the privilege, all other results are stored.
    GRANT UPDATE (status, input, output, error, tokens_used, cost_cents, duration_ms, updated_at, completed_at)
        ON public.job_results TO "{service}";
    -- All functions of the schema nexus, except those that steer the service or send requests. With nexus.record it can add to the
    -- audit, under its own role, as `nexus dead purge` does; it can neither read nor change what is there.
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA nexus TO "{service}";
    EXECUTE (SELECT string_agg(format('REVOKE EXECUTE ON FUNCTION %s FROM %I', p.oid::regprocedure, '{service}'), ';')
             FROM pg_proc AS p
             WHERE p.pronamespace = 'nexus'::regnamespace
                   AND p.proname IN ('pause', 'resume', 'scale', 'drain', 'log_level', 'cancel', 'cancel_where', 'cancellable',
                                     'command', 'edit_letter'));
    REVOKE EXECUTE ON FUNCTION nexus.send(jsonb, integer, text), nexus.send_again(text, text, bigint, jsonb) FROM "{service}";

    -- A PRODUCER sends requests, cancels those whose id it knows, and reads all stored results. It cannot read requests, not even
    -- its own.
    --
    -- Earlier releases allowed it to write every column, and so to forge a message's number, time or number of deliveries.
    REVOKE ALL ON pgmq.q_{requests} FROM "{producer}";
    GRANT USAGE ON SCHEMA pgmq, nexus TO "{producer}";
    -- pgmq.send runs with the caller's privileges and needs these columns. nexus.send does not.
    GRANT INSERT (vt, message, headers), SELECT (msg_id) ON pgmq.q_{requests} TO "{producer}";
    GRANT EXECUTE ON FUNCTION nexus.send(jsonb, integer, text), nexus.cancel(text, text, text) TO "{producer}";
    GRANT SELECT ON public.job_results TO "{producer}";

    -- AN OPERATOR uses the commands that need a database, the dashboard and the observer. It sees the journal, all results and the
    -- requests that have ended; it sends requests, sends failed ones again or deletes them, and steers the nodes. It cannot change
    -- a result, the journal or a budget.
    GRANT USAGE ON SCHEMA pgmq, nexus TO "{operator}";
    -- Sends requests (`ask`, `enqueue`, `dead retry`) and puts results back that could not be stored.
    GRANT INSERT (vt, message, headers), SELECT (msg_id, vt, enqueued_at) ON pgmq.q_{requests} TO "{operator}";
    GRANT INSERT (vt, message, headers), SELECT (msg_id, vt, enqueued_at) ON pgmq.q_{results} TO "{operator}";
    -- Reads, retries, edits and deletes dead letters.
    GRANT SELECT, DELETE, UPDATE (vt) ON pgmq.q_{dead} TO "{operator}";
    GRANT SELECT, INSERT ON pgmq.a_{dead} TO "{operator}";
    -- A request or a result that was too large for its dead letter is sent again from the archive.
    GRANT SELECT (msg_id, message) ON pgmq.a_{requests}, pgmq.a_{results} TO "{operator}";
    -- Functions that read messages safely, send again, pause, scale, drain, cancel, give orders to a node, and record all that.
    EXECUTE (SELECT string_agg(format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, '{operator}'), ';')
             FROM pg_proc AS p
             WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname IN (
                 'read_message', 'open_message', 'open_any_message', 'find_queued', 'send_again', 'traceparent', 'node_id',
                 'pause', 'resume', 'scale', 'drain', 'log_level', 'waiting_requests', 'cancel', 'cancel_where', 'cancellable',
                 'look', 'command', 'edit_letter', 'record', 'latency_bounds'));
    -- Pauses, pool sizes, drains and log levels, also in plain SQL: a trigger records each change in nexus.control_log.
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
