-- Of the budgets $1, counted by $2 (day, month): what is spent and reserved in the period that runs, and when the
-- next one begins.
SELECT b.name, coalesce(s.spent, 0)::float8 AS spent, coalesce(s.reserved, 0)::float8 AS reserved,
       (date_trunc(b.span, now() AT TIME ZONE 'UTC') + ('1 ' || b.span)::interval) AT TIME ZONE 'UTC' AS renews_at
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS b (name, span, place)
LEFT JOIN nexus.spending AS s
    ON s.budget = b.name AND s.period = date_trunc(b.span, now() AT TIME ZONE 'UTC')::date
ORDER BY b.place
