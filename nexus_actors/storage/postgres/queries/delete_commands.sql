-- Delete the orders $1; how many there were.
WITH gone AS (DELETE FROM nexus.commands WHERE number = ANY ($1::bigint[]) RETURNING 1)
SELECT count(*) FROM gone
