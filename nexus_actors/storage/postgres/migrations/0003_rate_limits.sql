-- Token buckets that every service instance on this database draws from, so that together they keep an account's limits.

CREATE TABLE nexus.rate_limits (
    bucket    text PRIMARY KEY,
    level     double precision NOT NULL,
    filled_at timestamptz NOT NULL
);

COMMENT ON TABLE nexus.rate_limits IS 'One token bucket for each limit of each key of each provider.';
COMMENT ON COLUMN nexus.rate_limits.bucket IS 'Provider, what is counted, and a hash of the key.';
COMMENT ON COLUMN nexus.rate_limits.level IS 'What could be taken when it was filled last.';
COMMENT ON COLUMN nexus.rate_limits.filled_at IS 'When that was, by the clock of this server.';

-- Take up to `wanted` out of a bucket that holds `capacity` at most and fills at `rate` a second; what was taken.
CREATE FUNCTION nexus.take_quota(
    name text, capacity double precision, rate double precision, wanted double precision
) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    found nexus.rate_limits;
    filled double precision;
    taken double precision;
BEGIN
    INSERT INTO nexus.rate_limits (bucket, level, filled_at)
    VALUES (name, capacity, clock_timestamp())
    ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT found FROM nexus.rate_limits WHERE bucket = name FOR UPDATE;
    filled := least(
        capacity, found.level + rate * extract(epoch FROM clock_timestamp() - found.filled_at));
    taken := greatest(least(wanted, filled), 0);
    UPDATE nexus.rate_limits SET level = filled - taken, filled_at = clock_timestamp()
    WHERE bucket = name;
    RETURN taken;
END;
$$;

COMMENT ON FUNCTION nexus.take_quota(text, double precision, double precision, double precision) IS
    'Takes from a token bucket, as much as there is and no more than wanted.';
