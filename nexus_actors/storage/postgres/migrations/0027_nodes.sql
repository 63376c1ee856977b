-- Observed state: what each process is and does, by its own word, and which of them does what only one of them needs to do.
-- Nothing depends on these rows: leases lapse and work goes on without them.
-- Works with programs that know 0025.

-- A row is written anew every two seconds, in place: no index stands in the way of that, and half of each page is left for it.
CREATE TABLE nexus.nodes (
    node        text PRIMARY KEY CHECK (length(node) BETWEEN 1 AND 64),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 320),
    host        text NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
    version     text NOT NULL CHECK (length(version) <= 64),
    pid         bigint NOT NULL,
    queue       text NOT NULL CHECK (length(queue) <= 64),
    started_at  timestamptz NOT NULL,
    beat_at     timestamptz NOT NULL,
    state       text NOT NULL CHECK (state IN ('starting', 'ready', 'degraded', 'draining', 'drained', 'stopped')),
    why         text CHECK (length(why) <= 500),
    in_flight   integer NOT NULL,
    concurrency jsonb NOT NULL,
    restarts    bigint NOT NULL,
    last_error  text CHECK (length(last_error) <= 500)
) WITH (fillfactor = 50);

COMMENT ON TABLE nexus.nodes IS 'One row for each process, by its own word; nexus.node_states has them with those that are lost. Rows of processes that are gone are deleted after a day.';
COMMENT ON COLUMN nexus.nodes.node IS 'The instance''s id, one for each data_dir: owner in nexus.requests and nexus.attempts.';
COMMENT ON COLUMN nexus.nodes.name IS 'SERVICE@HOST.';
COMMENT ON COLUMN nexus.nodes.host IS 'The host''s name, by its own word.';
COMMENT ON COLUMN nexus.nodes.version IS 'Of the program.';
COMMENT ON COLUMN nexus.nodes.pid IS 'The process''s id on its host.';
COMMENT ON COLUMN nexus.nodes.queue IS 'The queue that it takes requests from.';
COMMENT ON COLUMN nexus.nodes.started_at IS 'When the process started, by its host''s clock.';
COMMENT ON COLUMN nexus.nodes.beat_at IS 'When it wrote this row last, by the database''s clock; every two seconds while it runs.';
COMMENT ON COLUMN nexus.nodes.state IS 'starting, ready, degraded (it waits for what may have to be mended), draining (it ends what it has), drained (it stays idle), stopped (in order).';
COMMENT ON COLUMN nexus.nodes.why IS 'What it waits for; null where it is not degraded.';
COMMENT ON COLUMN nexus.nodes.in_flight IS 'Requests of which it holds a lease.';
COMMENT ON COLUMN nexus.nodes.concurrency IS 'How many calls it makes at once at most, by provider.';
COMMENT ON COLUMN nexus.nodes.restarts IS 'How many of its actors were restarted since it started.';
COMMENT ON COLUMN nexus.nodes.last_error IS 'The last call or request of it that failed: the error''s name, and whose it was. No content.';

-- The leader of each chore. Who holds a row may do its chore, under the row's term; a statement with an earlier term does nothing.
CREATE TABLE nexus.chores (
    chore   text NOT NULL CHECK (length(chore) BETWEEN 1 AND 64),
    queue   text NOT NULL CHECK (length(queue) BETWEEN 1 AND 64),
    node    text CHECK (length(node) BETWEEN 1 AND 64),
    term    bigint NOT NULL DEFAULT 1,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at timestamptz,
    done_at timestamptz,
    PRIMARY KEY (chore, queue)
) WITH (fillfactor = 50);

COMMENT ON TABLE nexus.chores IS 'What only one of all processes does at a time, and which one that is.';
COMMENT ON COLUMN nexus.chores.chore IS 'prune: delete what has been kept for long enough.';
COMMENT ON COLUMN nexus.chores.queue IS 'The queue of requests whose services it is for.';
COMMENT ON COLUMN nexus.chores.node IS 'Who does it; null where nobody does.';
COMMENT ON COLUMN nexus.chores.term IS 'The fencing token: one more with each new holder.';
COMMENT ON COLUMN nexus.chores.made_at IS 'When this row was made.';
COMMENT ON COLUMN nexus.chores.beat_at IS 'The holder''s last sign of life. After ten seconds without one another process takes the chore over.';
COMMENT ON COLUMN nexus.chores.done_at IS 'When a round of it was complete last.';

CREATE VIEW nexus.node_states AS
SELECT n.node, n.name, n.host, n.version, n.pid, n.queue, n.started_at, n.beat_at,
       CASE WHEN n.state <> 'stopped' AND n.beat_at < clock_timestamp() - interval '10 s' THEN 'lost' ELSE n.state END AS state,
       n.why, n.in_flight, n.concurrency, n.restarts, n.last_error,
       extract(epoch FROM clock_timestamp() - n.beat_at)::float8 AS beat_age,
       ARRAY(SELECT c.chore FROM nexus.chores AS c
             WHERE c.node = n.node AND c.beat_at >= clock_timestamp() - interval '10 s' ORDER BY c.chore) AS chores
FROM nexus.nodes AS n;

COMMENT ON VIEW nexus.node_states IS 'nexus.nodes as it is by the database''s clock: a process that has not written its row for ten seconds, and did not stop in order, is lost. What it had leased is leased again when that lapses.';
COMMENT ON COLUMN nexus.node_states.state IS 'As in nexus.nodes, or lost.';
COMMENT ON COLUMN nexus.node_states.beat_age IS 'Seconds since it wrote its row.';
COMMENT ON COLUMN nexus.node_states.chores IS 'The chores that it does for all.';

-- The id of the node that is meant by its id, its name, its host, or the beginning of its id (4 characters or more). Of several
-- that are meant alike, those that run come first. Every process of a name is not meant: that is '*'.
CREATE FUNCTION nexus.node_id(wanted text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    meant text[];
    known text;
BEGIN
    IF wanted = '*' THEN
        RETURN wanted;
    END IF;
    SELECT array_agg(m.node) INTO meant
    FROM (SELECT s.node, rank() OVER (ORDER BY s.place, s.state IN ('stopped', 'lost')) AS nth
          FROM (SELECT n.node, n.state,
                       CASE WHEN n.node = wanted THEN 1 WHEN n.name = wanted THEN 2 WHEN n.host = wanted THEN 3
                            WHEN length(wanted) >= 4 AND starts_with(n.node, lower(wanted)) THEN 4 END AS place
                FROM nexus.node_states AS n) AS s
          WHERE s.place IS NOT NULL) AS m
    WHERE m.nth = 1;
    IF cardinality(meant) = 1 THEN
        RETURN meant[1];
    END IF;
    SELECT string_agg(format('%s %s (%s)', n.node, n.name, n.state), ', ' ORDER BY n.name, n.node) INTO known
    FROM (SELECT * FROM nexus.node_states AS n WHERE meant IS NULL OR n.node = ANY (meant)
          ORDER BY n.state IN ('stopped', 'lost'), n.beat_at DESC LIMIT 20) AS n;
    RAISE EXCEPTION 'nexus.node_id: % "%"; %', CASE WHEN meant IS NULL THEN 'there is no node' ELSE 'there are several nodes' END,
        left(coalesce(wanted, ''), 64), coalesce('expected one of: ' || known, 'no node is known') USING ERRCODE = '22023';
END;
$$;

COMMENT ON FUNCTION nexus.node_id(text) IS
    'The id of the node with this id, name or host, or whose id begins so (4 characters or more); * is itself. Else an error that lists the nodes.';
