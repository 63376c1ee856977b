-- A message is whatever a producer sent: one function reads it, within bounds, and its trouble is its own.

-- Open one message: its text, if that is `largest` bytes at most; what identifies it; and what it goes on with. Where there is no
-- text, `fault` says why. It raises nothing but the end of the statement's time.
--
-- A number is longer as text than as jsonb: 12 bytes may be 147,456 characters, so the text of 80 KB may be a gigabyte. So where it
-- could be too long, the numbers are made texts one by one first. `bytes` are those of the text; where there is none, of as much
-- as was seen, more than `largest`. `identified`: false where only the text is wanted.
CREATE FUNCTION nexus.open_any_message(
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
        digest := 'jsonb:' || to_hex(jsonb_hash_extended(plain, 0));
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
    digest := 'unread:' || md5(clock_timestamp()::text);  -- equal to no other: what is not known is not taken for a repeat
END;
$$;

COMMENT ON FUNCTION nexus.open_any_message(jsonb, bigint, boolean) IS
    'Reads one message of any content, as nexus.open_message does, which is quicker with small ones.';

-- The same. Most messages are so small that nothing in them can be too large, too deep or unreadable, whatever it is: a byte is
-- 12,300 characters at most. For these, the planner puts this text in the place of the call, which is a fifth of the work.
CREATE FUNCTION nexus.open_message(message jsonb, largest bigint, identified boolean DEFAULT true)
RETURNS TABLE (
    body text, bytes bigint, request_id text, digest text, previous_id text, retry_of text, fault text
) LANGUAGE sql STABLE AS $$
    SELECT s.body, octet_length(s.body)::bigint,
           CASE WHEN length(s.id) BETWEEN 1 AND 255 THEN s.id END,
           CASE WHEN identified
                THEN md5(CASE WHEN s.inside IS NOT NULL THEN (s.inside - 'timestamp')::text
                              WHEN s.timed THEN (s.whole - 'timestamp')::text
                              ELSE s.body END) END,
           CASE WHEN NOT identified THEN NULL
                WHEN s.inside IS NULL OR s.named THEN
                    CASE WHEN jsonb_typeof(s.whole -> 'previous_response_id') = 'string'
                         THEN s.whole ->> 'previous_response_id' END
                WHEN jsonb_typeof(s.inside -> 'previous_response_id') = 'string'
                    THEN s.inside ->> 'previous_response_id' END,
           CASE WHEN identified AND jsonb_typeof(s.whole -> 'retry_of') = 'string'
                THEN left(s.whole ->> 'retry_of', 255) END,
           NULL::text
    FROM (SELECT message AS whole, message::text AS body,
                 jsonb_typeof(message -> 'request_id') = 'string' AS named,
                 CASE WHEN NOT identified THEN NULL
                      WHEN jsonb_typeof(message -> 'request_id') = 'string' THEN message ->> 'request_id'
                      WHEN jsonb_typeof(message #> '{request,request_id}') = 'string'
                          THEN message #>> '{request,request_id}' END AS id,
                 CASE WHEN jsonb_typeof(message -> 'request') = 'object' THEN message -> 'request' END AS inside,
                 jsonb_typeof(message) = 'object' AND message ? 'timestamp' AS timed
          -- Each is made once, and nothing before it is known to be small.
          OFFSET 0) AS s
    WHERE pg_column_compression(message) IS NULL AND pg_column_size(message) <= least(largest / 12300, 2000)
    UNION ALL
    SELECT o.body, o.bytes, o.request_id, o.digest, o.previous_id, o.retry_of, o.fault
    FROM nexus.open_any_message(message, largest, identified) AS o
    WHERE (pg_column_compression(message) IS NULL AND pg_column_size(message) <= least(largest / 12300, 2000)) IS NOT TRUE
$$;

COMMENT ON FUNCTION nexus.open_message(jsonb, bigint, boolean) IS
    'Reads one message of any content: its text within bounds, and what identifies it.';
