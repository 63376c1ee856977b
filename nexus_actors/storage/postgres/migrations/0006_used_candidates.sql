-- By name, not by their number: a route's order may be another one at the next lease.
ALTER TABLE nexus.requests DROP COLUMN skip_candidates;
ALTER TABLE nexus.requests ADD COLUMN used_candidates text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN nexus.requests.used_candidates IS 'PROVIDER/MODEL of the route that earlier attempts have used up.';
