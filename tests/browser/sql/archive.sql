-- The messages of the requests of history.sql, in the archive of the queue.
INSERT INTO pgmq.a_ai_requests (msg_id, read_ct, enqueued_at, vt, archived_at, message)
OVERRIDING SYSTEM VALUE
SELECT 1000000000 + n, 1, finished_at - make_interval(secs => latency_ms / 1000.0 + 2 * b), finished_at, finished_at,
       jsonb_build_object(
           'request_id', request_id, 'agent_id', agent_id, 'complexity', complexity, 'task_type', task_type,
           'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'What is ' || n || ' in words?')))
FROM nexus.seeded;
