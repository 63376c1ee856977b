-- The digest of a message that was not made a text tells it from another as well as that of a text does: without the time of
-- sending, wrapped or not. And a repeat is known for one, also if it can be read by then.

-- The digest of a message from its jsonb, of which no text is made. Raises what the message does.
CREATE FUNCTION nexus.unread_digest(message jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'unread:fields:' || CASE
        WHEN jsonb_typeof(r.request) = 'object' THEN (
            -- Field by field: to take one out of a value is to build it anew.
            SELECT md5(string_agg(f.hash, ',' ORDER BY f.hash))
            FROM (SELECT hashtextextended(e.key, 0) || ':' || jsonb_hash_extended(e.value, 0) AS hash
                  FROM jsonb_each(r.request) AS e
                  WHERE e.key <> 'timestamp') AS f)
        ELSE to_hex(jsonb_hash_extended(r.request, 0)) END
    FROM (SELECT CASE WHEN jsonb_typeof(m.plain -> 'request') = 'object' THEN m.plain -> 'request' ELSE m.plain END AS request
          FROM (SELECT message #> '{}' AS plain OFFSET 0) AS m
          OFFSET 0) AS r
$$;

COMMENT ON FUNCTION nexus.unread_digest(jsonb) IS 'Tells a message that was not read from another, as nexus.requests.digest has it.';

-- Whether a message with this digest may repeat the one with that, which the journal has. False only if it is another.
CREATE FUNCTION nexus.may_repeat(message jsonb, digest text, known text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN digest = known THEN true
        WHEN known LIKE 'unread:fields:%' THEN known = nexus.unread_digest(message)
        WHEN known LIKE 'jsonb:%' THEN known = 'jsonb:' || to_hex(jsonb_hash_extended(message, 0))  -- before this migration
        -- Of one of them nothing is known. One that cannot be read is another than one that was.
        ELSE known LIKE 'unread:%' END;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END;
$$;

COMMENT ON FUNCTION nexus.may_repeat(jsonb, text, text) IS
    'Whether a message may be the one whose digest the journal has: false only if it is shown to be another.';

-- Open one message: its text, if that is `largest` bytes at most; what identifies it; and what it goes on with. Where there is no
-- text, `fault` says why. It raises nothing but the end of the statement's time.
--
-- A number is longer as text than as jsonb: 12 bytes may be 147,456 characters, so the text of 80 KB may be a gigabyte. So where it
-- could be too long, the numbers are made texts one by one first. `bytes` are those of the text; where there is none, of as much
-- as was seen, more than `largest`. `identified`: false where only the text is wanted.
CREATE OR REPLACE FUNCTION nexus.open_any_message(
    message jsonb, largest bigint, identified boolean,
    OUT body text, OUT bytes bigint, OUT request_id text, OUT digest text, OUT previous_id text, OUT retry_of text,
    OUT fault text
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    plain jsonb;     -- fetched and decompressed once, which each operator would do for itself
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
            request_id := plain ->> 'request_id';
        ELSIF jsonb_typeof(plain #> '{request,request_id}') = 'string' THEN
            request_id := plain #>> '{request,request_id}';
        END IF;
        IF length(request_id) NOT BETWEEN 1 AND 255 THEN
            request_id := NULL;
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

-- Where a request is that the journal does not know: among the `most` messages that were sent last to the queue. For a role that may
-- not read them. A message that would take long to look at ends the search: what is before it is not found.
CREATE FUNCTION nexus.find_queued(queue text, id text, most integer DEFAULT 10000)
RETURNS TABLE (msg_id bigint, visible boolean, visible_from text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' SET timezone = 'UTC' AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM nexus.request_queues AS k WHERE k.name = find_queued.queue) THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format($query$
        SELECT w.msg_id, w.vt <= now(), w.vt::text
        FROM (SELECT l.*, sum(l.weight) OVER (ORDER BY l.msg_id DESC ROWS UNBOUNDED PRECEDING) AS together
              FROM (SELECT q.msg_id, q.vt, q.message,
                           pg_column_size(q.message)::bigint
                           * CASE pg_column_compression(q.message) WHEN 'pglz' THEN 88 WHEN 'lz4' THEN 255 ELSE 1 END AS weight
                    FROM pgmq.%I AS q ORDER BY q.msg_id DESC LIMIT least($2, 100000)) AS l) AS w
        WHERE w.together <= 536870912
              AND CASE WHEN jsonb_typeof(w.message -> 'request_id') = 'string' THEN w.message ->> 'request_id'
                       WHEN jsonb_typeof(w.message #> '{request,request_id}') = 'string'
                           THEN w.message #>> '{request,request_id}' END = $1
        ORDER BY w.msg_id DESC
        LIMIT 1
        $query$, 'q_' || queue) USING id, most;
END;
$$;

COMMENT ON FUNCTION nexus.find_queued(text, text, integer) IS
    'The message of a request that was not leased yet, among those that were sent last, and when it is visible.';
