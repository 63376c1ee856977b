-- Hostile texts in every column that takes foreign text: $1 has short ones (a JSON list), $2 has more than a megabyte.
INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at, first_leased_at, finished_at, agent_id,
    complexity, task_type, provider, model, prompt_tokens, completion_tokens, cost, cost_basis, latency_ms, error_type, response_id, steps,
    wait_reason, wait_detail, wait_since)
SELECT 'id ' || n || ' ' || t, 'ai_requests', -n, 1, 'node ' || t, CASE WHEN n % 2 = 0 THEN 'done' ELSE 'failed' END, md5(t), 2,
       now() - interval '9 minutes', now() - interval '8 minutes', now() - interval '8 minutes', now() - interval '7 minutes' - n * interval '1 second', t,
       'simple', t, t, t, 100, 20, 0.01, 'list', 900, CASE WHEN n % 2 = 0 THEN NULL ELSE t END, t,
       jsonb_build_array(
           jsonb_build_object('at', now(), 'name', t, 'outcome', t, 'detail', jsonb_build_object(
               'route', t, 'candidates', jsonb_build_array(t || '/' || t), 'message', left($2::text, 300000), t, t,
               'skipped', jsonb_build_array(jsonb_build_object('provider', t, 'model', t, 'why', t))))),
       t, t, now()
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS u (t, n);

INSERT INTO nexus.attempts (
    request_id, number, provider, model, outcome, status_code, duration_ms, cost, cost_basis, error, owner, started_at, dropped, key_name)
SELECT 'id ' || n || ' ' || t, number, t, t, CASE WHEN number = 2 AND n % 2 = 0 THEN 'ok' ELSE t END, 500, 400, 0.005, 'list',
       CASE number WHEN 1 THEN $2::text ELSE t END, t, now() - interval '8 minutes', ARRAY[t], t
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS u (t, n), generate_series(1, 2) AS number
WHERE $2::text IS NOT NULL;

INSERT INTO pgmq.q_ai_requests (read_ct, enqueued_at, vt, message)
SELECT 1, now(), now() + interval '2 hours', jsonb_build_object('request_id', 'wait ' || t, 'agent_id', t, 'model', left($2::text, 100))
FROM jsonb_array_elements_text($1::jsonb) AS t;

INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, lane, digest, attempts, received_at, leased_at, first_leased_at, agent_id, complexity,
    task_type, wait_reason, wait_detail, wait_since, wait_until)
SELECT q.message ->> 'request_id', 'ai_requests', q.msg_id, 1, 'gone', 'waiting', 'lane ' || (q.message ->> 'agent_id'), 'x', 1, now(), now(),
       now(), q.message ->> 'agent_id', 'simple', q.message ->> 'agent_id', q.message ->> 'agent_id',
       (q.message ->> 'agent_id') || left($2::text, 200000), now(), now() + interval '1 hour'
FROM pgmq.q_ai_requests AS q
WHERE $1::text IS NOT NULL;

INSERT INTO pgmq.a_ai_requests (msg_id, read_ct, enqueued_at, vt, message)
OVERRIDING SYSTEM VALUE
SELECT -n, 1, now(), now(), jsonb_build_object(
    'request_id', 'id ' || n || ' ' || t, 'messages', jsonb_build_array(jsonb_build_object('role', t, 'content', t || $2::text)))
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS u (t, n);

INSERT INTO pgmq.q_ai_requests_dead (read_ct, enqueued_at, vt, message)
SELECT 0, now(), now(), jsonb_build_object(
    'reason', t, 'request_id', 'id ' || n || ' ' || t, 'msg_id', -n, 'attempts', t,
    'detail', jsonb_build_object('type', t, 'message', t || left($2::text, 200000), 'provider', t, 'path', t),
    'request', jsonb_build_object(
        'request_id', 'id ' || n || ' ' || t, t, t,
        'messages', jsonb_build_array(jsonb_build_object('role', t, 'content', t || $2::text))))
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS u (t, n);

INSERT INTO pgmq.q_ai_requests_dead (read_ct, enqueued_at, vt, message)
SELECT 0, now(), now(), m
FROM (VALUES (to_jsonb($2::text)), ('[1, [2, [3]]]'), ('null'), ('{"reason": {"a": 1}, "request": null}')) AS v (m)
WHERE $1::text IS NOT NULL;

INSERT INTO nexus.nodes (
    node, name, host, version, pid, queue, started_at, beat_at, state, why, in_flight, concurrency, restarts, last_error)
SELECT left('n' || n || t, 64), t, t, left(t, 64), 1, 'ai_requests', now(), now() + interval '1 hour', 'degraded', t, 3,
       jsonb_build_object(t, 5, 'x' || t, t), 7, left(t || $2::text, 500)
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS u (t, n);

INSERT INTO nexus.control (action, subject, name, node, value, by, why)
SELECT 'pause', (ARRAY['provider', 'model', 'agent'])[1 + n % 3], left(t, 255), '*', 'wait', left(t, 255), left(t || $2::text, 1000)
FROM jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS u (t, n);

INSERT INTO nexus.spending (budget, period, reserved, spent)
SELECT t, current_date, 1, 2
FROM jsonb_array_elements_text($1::jsonb) AS t
WHERE $2::text IS NOT NULL;

INSERT INTO nexus.cancellations (request_id, by, why)
SELECT 'wait ' || t, t, left(t || $2::text, 1000)
FROM jsonb_array_elements_text($1::jsonb) AS t
