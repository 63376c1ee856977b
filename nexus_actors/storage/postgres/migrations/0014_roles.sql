-- Sending without a privilege on the queue's table, and nothing of ours for everybody: what PUBLIC may execute of the schema is
-- revoked after each migration (see migrate.py), so that none can forget it.

CREATE TABLE nexus.request_queues (
    name text PRIMARY KEY
);

COMMENT ON TABLE nexus.request_queues IS 'The queues of requests that this database was prepared for: nexus.send sends to no other.';
COMMENT ON COLUMN nexus.request_queues.name IS 'The queue, as PGMQ knows it.';

-- What the caller sends is bounded, and all that the queue's table says besides is ours. With several queues, `queue` names one.
CREATE FUNCTION nexus.send(message jsonb, delay integer DEFAULT 0, queue text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    largest CONSTANT bigint := 64 * 1024 * 1024;
    longest CONSTANT integer := 366 * 24 * 3600;
    known text[];
    sent bigint;
BEGIN
    IF delay IS NULL OR delay < 0 OR delay > longest THEN
        RAISE EXCEPTION 'nexus.send: expected a delay of 0 to % seconds', longest USING ERRCODE = '22023';
    END IF;
    IF pg_catalog.jsonb_typeof(message) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'nexus.send: expected the message to be a JSON object' USING ERRCODE = '22023';
    END IF;
    -- The second is what it takes uncompressed.
    IF pg_catalog.pg_column_size(message) > largest
       OR pg_catalog.pg_column_size(message OPERATOR(pg_catalog.#>) '{}'::text[]) > largest THEN
        RAISE EXCEPTION 'nexus.send: expected a message of % bytes at most', largest USING ERRCODE = '54000';
    END IF;
    SELECT pg_catalog.array_agg(q.name ORDER BY q.name) INTO known FROM nexus.request_queues AS q
    WHERE q.name OPERATOR(pg_catalog.=) coalesce(send.queue, q.name);
    IF pg_catalog.cardinality(known) IS DISTINCT FROM 1 THEN
        RAISE EXCEPTION 'nexus.send: expected queue to be one of: %',
            (SELECT pg_catalog.string_agg(q.name, ', ' ORDER BY q.name) FROM nexus.request_queues AS q) USING ERRCODE = '22023';
    END IF;
    SELECT s INTO STRICT sent FROM pgmq.send(known[1], message, delay) AS s;
    RETURN sent;
END;
$$;

COMMENT ON FUNCTION nexus.send(jsonb, integer, text) IS
    'Sends a request to the queue, visible in `delay` seconds; its number there. For roles without a privilege on the table.';
