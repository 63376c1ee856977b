-- A dead letter for each of the newest requests that failed, seed.letters of them.
INSERT INTO pgmq.q_ai_requests_dead (read_ct, enqueued_at, vt, message)
SELECT 0, finished_at, finished_at,
       jsonb_build_object(
           'reason', error_type, 'request_id', request_id, 'msg_id', 1000000000 + n, 'attempts', calls, 'dead_at', finished_at,
           'detail', jsonb_build_object('type', error_type, 'message', 'upstream said: ' || error_type, 'provider', provider),
           'request', jsonb_build_object(
               'request_id', request_id, 'agent_id', agent_id, 'complexity', complexity, 'task_type', task_type,
               'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'What is ' || n || ' in words?'))))
FROM nexus.seeded
WHERE failed
ORDER BY finished_at DESC
LIMIT current_setting('seed.letters')::int;
