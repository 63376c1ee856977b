-- What of the queue $1 is to be summed next. A request is seen in the journal some time after it ended, up to $2 seconds: what ended
-- since is left. Until $3 seconds ago the past is summed (0: all of it).
-- What other queues have is not passed over, so that no look is longer than what it finds: there may be nothing of this queue at all.
-- The row stays locked: whoever asks what is summed (nexus.send_again) waits for this portion.
-- minute: the next one in which something ended, null if none has; minutes_until: until then nothing is left, if it is null.
-- old_hour: the newest hour of the past; is_large: it has more than $4 requests of all queues, so that it is summed by minutes, the last one first.
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
