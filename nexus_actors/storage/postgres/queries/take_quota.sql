-- Draw up to $4 from each of the buckets $1, which hold at most $2 and fill at $3 per second. Locks: buckets in order
-- of name.
SELECT w.place, nexus.take_quota(w.bucket, w.capacity, w.rate, w.wanted) AS taken
FROM (
    SELECT *
    FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[])
        WITH ORDINALITY AS u (bucket, capacity, rate, wanted, place)
    ORDER BY bucket
) AS w
ORDER BY w.bucket
