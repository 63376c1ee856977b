-- Notify the channels $1 with the payloads $2, in this order.
SELECT count(pg_notify(n.channel, n.payload))
FROM (
    SELECT channel, payload
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (channel, payload, place)
    ORDER BY place
) AS n
