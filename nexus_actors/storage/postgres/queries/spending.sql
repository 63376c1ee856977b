-- For the budgets $1 with the periods $2 (day, month): dollars spent and reserved in the current period, when it began
-- and how many seconds ago, and when the next one begins.
SELECT b.name, coalesce(s.spent, 0)::float8 AS spent, coalesce(s.reserved, 0)::float8 AS reserved,
       p.begins AT TIME ZONE 'UTC' AS begins_at, extract(epoch FROM now() AT TIME ZONE 'UTC' - p.begins)::float8 AS seconds,
       (p.begins + ('1 ' || b.span)::interval) AT TIME ZONE 'UTC' AS renews_at
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS b (name, span, place)
CROSS JOIN LATERAL (SELECT date_trunc(b.span, now() AT TIME ZONE 'UTC') AS begins) AS p
LEFT JOIN nexus.spending AS s ON s.budget = b.name AND s.period = p.begins::date
ORDER BY b.place
