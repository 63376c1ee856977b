-- The one exception to one result for each id: an operator sends a request that failed again under its own id, for the sake of
-- those who wait for that.

ALTER TABLE nexus.requests ADD COLUMN sent_again_after integer;

COMMENT ON COLUMN nexus.requests.sent_again_after IS
    'How many attempts had been made when an operator sent it again under its own id, after which its result says supersedes; null where none did.';

-- Send `message` again, whose request failed as message `old_msg_id` of the queue: its journal row becomes the new message's, with
-- all attempts before it. `why`: it is not sent.
-- Locks: the journal's row.
CREATE FUNCTION nexus.send_again(
    of_queue text, of_request text, old_msg_id bigint, message jsonb, OUT msg_id bigint, OUT why text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old nexus.requests;
    sent_at timestamptz;
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
    UPDATE nexus.requests AS r
    SET msg_id = send_again.msg_id, read_ct = 0, state = 'queued', lane = NULL, deadline = NULL,
        received_at = greatest(sent_at, '1970-01-01 00:00:00+00'), first_leased_at = NULL, finished_at = NULL,
        error_type = NULL, result_trouble = NULL, used_candidates = '{}',
        spared_attempts = r.attempts, sent_again_after = r.attempts
    WHERE r.request_id = of_request;
END;
$$;

COMMENT ON FUNCTION nexus.send_again(text, text, bigint, jsonb) IS
    'Sends a request that failed again under its own id: for operators (nexus dead retry --same-id).';
