-- A request that waited, was given back, or was another process's before, took as long as that too: latency_ms counts from its
-- first lease.

ALTER TABLE nexus.requests ADD COLUMN first_leased_at timestamptz;
-- Only then the default, so that it is not that of the rows there are: of one that has ended, nobody asks.
ALTER TABLE nexus.requests ALTER COLUMN first_leased_at SET DEFAULT now();
UPDATE nexus.requests SET first_leased_at = leased_at WHERE state IN ('leased', 'waiting', 'queued');

COMMENT ON COLUMN nexus.requests.first_leased_at IS 'When it was leased first; null where that was before this column.';
COMMENT ON COLUMN nexus.requests.latency_ms IS 'Milliseconds from its first lease to its outcome, as the result says.';
