-- Delete the rows $1 of nexus.looks, by their places, that are over; how many there were.
WITH gone AS (
    DELETE FROM nexus.looks WHERE ctid = ANY ($1::text[]::tid[]) AND until < clock_timestamp() RETURNING 1
)
SELECT count(*) FROM gone
