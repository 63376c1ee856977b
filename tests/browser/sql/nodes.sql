-- Two nodes that have gone: one stopped and reported why, the other fell silent.
INSERT INTO nexus.nodes (
    node, name, host, version, pid, queue, started_at, beat_at, state, why, in_flight, concurrency, restarts, last_error)
VALUES
    ('5f0c7e52-0000-4000-8000-000000000001', 'nexus@ams-2', 'ams-2', '0.1.0', 812, 'ai_requests', now() - interval '9 days',
     now() - interval '4 minutes', 'ready', NULL, 37, '{"groq": 16, "gemini": 16, "mistral": 4}', 3,
     'Router: KeyError: ''gpt-5-mini'''),
    ('5f0c7e52-0000-4000-8000-000000000002', 'nexus@fra-1', 'fra-1', '0.1.0', 4711, 'ai_requests', now() - interval '3 days',
     now() - interval '2 hours', 'stopped', NULL, 0, '{"groq": 16}', 0, NULL);
