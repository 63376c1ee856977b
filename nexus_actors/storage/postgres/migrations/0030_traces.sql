-- A request may say in a field to which trace it belongs, which is no part of what is asked: sent again within another trace, it is the
-- same request. So whoever may only call nexus.send names it there, too.
-- Works with programs that know 0025.

COMMENT ON COLUMN nexus.requests.traceparent IS
    'The W3C traceparent of its message''s headers; where they have no valid one, once it has ended, that of its result. Null: none.';

-- The digest of a message from its jsonb, of which no text is made. Raises what the message does.
CREATE OR REPLACE FUNCTION nexus.unread_digest(message jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'unread:fields:' || CASE
        WHEN jsonb_typeof(r.request) = 'object' THEN (
            -- Field by field: to take one out of a value is to build it anew.
            SELECT md5(string_agg(f.hash, ',' ORDER BY f.hash))
            FROM (SELECT hashtextextended(e.key, 0) || ':' || jsonb_hash_extended(e.value, 0) AS hash
                  FROM jsonb_each(r.request) AS e
                  WHERE e.key NOT IN ('timestamp', 'traceparent')) AS f)
        ELSE to_hex(jsonb_hash_extended(r.request, 0)) END
    FROM (SELECT CASE WHEN jsonb_typeof(m.plain -> 'request') = 'object' THEN m.plain -> 'request' ELSE m.plain END AS request
          FROM (SELECT message #> '{}' AS plain OFFSET 0) AS m
          OFFSET 0) AS r
$$;

-- Open one message: its text, if that is `largest` bytes at most; what identifies it; what it goes on with; and whose it is, in
-- texts of 255 characters at most. Where there is no text, `fault` says why. It raises nothing but the end of the statement's time.
--
-- A number is longer as text than as jsonb: 12 bytes may be 147,456 characters, so the text of 80 KB may be a gigabyte. So where it
-- could be too long, the numbers are made texts one by one first. `bytes` are those of the text; where there is none, of as much
-- as was seen, more than `largest`. `identified`: false where only the text is wanted.
CREATE OR REPLACE FUNCTION nexus.open_any_message(
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
    digest := md5(CASE WHEN request IS NOT NULL THEN (request - '{timestamp,traceparent}'::text[])::text
                       WHEN jsonb_typeof(plain) = 'object' AND plain ?| '{timestamp,traceparent}'
                           THEN (plain - '{timestamp,traceparent}'::text[])::text
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

-- The same. Most messages are so small that nothing in them can be too large, too deep or unreadable, whatever it is: a byte is
-- 12,300 characters at most. For these, the planner puts this text in the place of the call, which is a fifth of the work.
CREATE OR REPLACE FUNCTION nexus.read_message(message jsonb, largest bigint, identified boolean DEFAULT true)
RETURNS TABLE (
    body text, bytes bigint, request_id text, digest text, previous_id text, retry_of text, fault text,
    agent_id text, complexity text, task_type text
) LANGUAGE sql STABLE AS $$
    SELECT s.body, octet_length(s.body)::bigint,
           CASE WHEN length(s.id) BETWEEN 1 AND 255 THEN s.id END,
           CASE WHEN identified
                THEN md5(CASE WHEN s.inside IS NOT NULL THEN (s.inside - '{timestamp,traceparent}'::text[])::text
                              WHEN s.marked THEN (s.whole - '{timestamp,traceparent}'::text[])::text
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
                       jsonb_typeof(message) = 'object' AND message ?| '{timestamp,traceparent}' AS marked
                -- Each is made once, and nothing before it is known to be small.
                OFFSET 0) AS r
          OFFSET 0) AS s
    WHERE pg_column_compression(message) IS NULL AND pg_column_size(message) <= least(largest / 12300, 2000)
    UNION ALL
    SELECT o.*
    FROM nexus.open_any_message(message, largest, identified) AS o
    WHERE (pg_column_compression(message) IS NULL AND pg_column_size(message) <= least(largest / 12300, 2000)) IS NOT TRUE
$$;

-- Who may send again what failed does so within the trace of its letter, which this function reads.
SELECT set_config('nexus.granted', coalesce(string_agg(format(
           'GRANT EXECUTE ON FUNCTION nexus.traceparent(jsonb) TO %I', pg_get_userbyid(a.grantee)), ';'), ''), true)
FROM pg_proc AS p
CROSS JOIN aclexplode(p.proacl) AS a
WHERE p.pronamespace = 'nexus'::regnamespace AND p.proname = 'send_again' AND a.grantee NOT IN (0, p.proowner);
DO $$
BEGIN
    EXECUTE current_setting('nexus.granted');
END;
$$;
