-- Delete the orders $1. Returns how many.
WITH gone AS (DELETE FROM nexus.commands WHERE number = ANY ($1::bigint[]) RETURNING 1)
SELECT count(*) FROM gone
