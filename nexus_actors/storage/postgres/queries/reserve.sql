-- Reserve $4 US dollars for attempt $3 of request $2 by instance $1 of the budgets $5 (each a day's or a month's, $6; at most $7).
SELECT nexus.reserve($1, $2, $3, $4::float8::numeric, $5::text[], $6::text[], $7::float8[]::numeric[]) AS poor
