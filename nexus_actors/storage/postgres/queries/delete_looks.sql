-- Delete the rows $1 (ctids) of nexus.looks if their time is over. Returns how many.
WITH gone AS (
    DELETE FROM nexus.looks WHERE ctid = ANY ($1::text[]::tid[]) AND until < clock_timestamp() RETURNING 1
)
SELECT count(*) FROM gone
