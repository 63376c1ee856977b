-- Insert or replace the row of the node $1.
INSERT INTO nexus.nodes (
    node, name, host, version, pid, queue, started_at, beat_at, state, why, in_flight, concurrency, restarts, last_error)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8, $9, $10, $11::jsonb, $12, $13)
ON CONFLICT (node) DO UPDATE SET
    name = excluded.name, host = excluded.host, version = excluded.version, pid = excluded.pid, queue = excluded.queue,
    started_at = excluded.started_at, beat_at = excluded.beat_at, state = excluded.state, why = excluded.why,
    in_flight = excluded.in_flight, concurrency = excluded.concurrency, restarts = excluded.restarts,
    last_error = excluded.last_error
