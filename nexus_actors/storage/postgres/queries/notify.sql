-- Notify the channels $1 with the payloads $2, in this order. Does nothing while the notification queue is half full.
SELECT count(pg_notify(n.channel, n.payload))
FROM (
    SELECT channel, payload
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (channel, payload, place)
    WHERE (SELECT pg_notification_queue_usage()) < 0.5
    ORDER BY place
) AS n
