-- seed.waiting requests that wait, for each possible reason. No service takes them within an hour: their messages are invisible, and
-- those with a lane wait for a pause, or for a provider that no node has.
WITH kind AS (
    SELECT *
    FROM (VALUES
        (1, 0.40, 'waiting', 'mistral', 'provider_full', 'mistral', NULL),
        (2, 0.55, 'waiting', 'paused agent batch-*', 'paused', 'agent batch-* is paused by mara: the report may wait', 3600),
        (3, 0.70, 'queued', NULL, 'throttled', 'gemini asked for 40 minutes', 2400),
        (4, 0.80, 'queued', NULL, 'circuit_open', 'groq/openai/gpt-oss-120b keeps failing', 1900),
        (5, 0.90, 'queued', NULL, 'budget', 'budget nightly: what is left is reserved by calls under way', 2100),
        (6, 0.97, 'queued', NULL, 'not_before', 'a pause of 30 minutes after attempt 2', 1800),
        (7, 1.00, 'queued', NULL, 'no_key', 'openai refuses key-1', 3000)
    ) AS v (place, share, state, lane, reason, detail, seconds)
),
sent AS (
    INSERT INTO pgmq.q_ai_requests (read_ct, enqueued_at, vt, message)
    SELECT 2, now() - make_interval(secs => n % 2400), now() + interval '2 hours',
           jsonb_build_object(
               'request_id', 'wait-' || n, 'agent_id', 'agent-' || lpad((n % 17)::text, 2, '0'), 'complexity', 'medium',
               'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'wait ' || n)))
    FROM generate_series(1, current_setting('seed.waiting')::int) AS n
    RETURNING msg_id, enqueued_at, message
),
placed AS (
    SELECT s.*, row_number() OVER (ORDER BY s.msg_id) / greatest(current_setting('seed.waiting')::float8, 1) AS share FROM sent AS s
)
INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, lane, digest, attempts, received_at, leased_at, first_leased_at, agent_id, complexity,
    task_type, wait_reason, wait_detail, wait_since, wait_until)
SELECT p.message ->> 'request_id', 'ai_requests', p.msg_id, 2, 'gone', k.state, k.lane, md5(p.msg_id::text), 1, p.enqueued_at,
       p.enqueued_at, p.enqueued_at, p.message ->> 'agent_id', 'medium', 'coder', k.reason, k.detail, p.enqueued_at,
       now() + make_interval(secs => k.seconds)
FROM placed AS p
JOIN LATERAL (SELECT * FROM kind WHERE p.share <= kind.share ORDER BY place LIMIT 1) AS k ON true;
