-- Delete the rows $1 of nexus.control, by their places, whose time is over; how many there were.
WITH gone AS (
    DELETE FROM nexus.control WHERE ctid = ANY ($1::text[]::tid[]) AND until < clock_timestamp() RETURNING 1
)
SELECT count(*) FROM gone
