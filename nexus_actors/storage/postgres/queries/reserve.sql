-- Reserve $3 US dollars for attempt $2 of request $1 of the budgets $4 (each a day's or a month's, $5; at most $6).
SELECT nexus.reserve($1, $2, $3::float8::numeric, $4::text[], $5::text[], $6::float8[]::numeric[]) AS poor
