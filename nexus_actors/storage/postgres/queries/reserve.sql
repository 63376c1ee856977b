-- Reserve $4 US dollars of the budgets $5 (per day or month: $6; limits: $7) for attempt $3 of request $2 by instance
-- $1.
SELECT nexus.reserve($1, $2, $3, $4::float8::numeric, $5::text[], $6::text[], $7::float8[]::numeric[]) AS poor
