-- What to sum next for the queue $1. A request may appear in the journal up to $2 seconds after it ended, so later ones are
-- left for another time. The past is summed back to $3 seconds ago (0: all of it). Minutes and hours in which only other
-- queues had requests are returned, too, so that no search takes long if this queue has none.
-- The row stays locked: nexus.send_again, which reads what is summed, waits for this portion.
-- minute: the next one in which a request ended; null: none up to minutes_to. old_hour: the newest unsummed hour of the
-- past; is_large: it has more than $4 requests of all queues, so it is summed by minutes, the last one first.
WITH progress AS MATERIALIZED (
    SELECT p.minutes_until, p.hours_until, p.hours_since, p.minutes_since,
           date_trunc('minute', clock_timestamp() - make_interval(secs => $2), 'UTC') AS minutes_to
    FROM nexus.sums_progress AS p
    WHERE p.queue = $1
    FOR NO KEY UPDATE
),
old AS MATERIALIZED (
    SELECT date_trunc('hour', r.finished_at, 'UTC') AS hour
    FROM nexus.requests AS r
    WHERE r.finished_at < (SELECT hours_since FROM progress)
          AND ($3::float8 = 0 OR r.finished_at >= clock_timestamp() - make_interval(secs => $3))
    ORDER BY r.finished_at DESC
    LIMIT 1
)
SELECT p.minutes_until, p.minutes_to, p.hours_until, p.hours_since, p.minutes_since,
       (SELECT date_trunc('minute', r.finished_at, 'UTC')
        FROM nexus.requests AS r
        WHERE r.finished_at >= p.minutes_until AND r.finished_at < p.minutes_to
        ORDER BY r.finished_at
        LIMIT 1) AS minute,
       (SELECT hour FROM old) AS old_hour,
       (SELECT count(*) FROM (
            SELECT FROM nexus.requests AS r
            WHERE r.finished_at >= (SELECT hour FROM old) AND r.finished_at < (SELECT hour FROM old) + interval '1 hour'
            LIMIT $4::integer + 1) AS r) > $4 AS is_large
FROM progress AS p
