-- Delete the rows $1 (ctids) of nexus.control whose time is over. Returns how many.
WITH gone AS (
    DELETE FROM nexus.control WHERE ctid = ANY ($1::text[]::tid[]) AND until < clock_timestamp() RETURNING 1
)
SELECT count(*) FROM gone
