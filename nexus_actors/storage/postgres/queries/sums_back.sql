-- If the sums of the queue $1 are ahead of the clock (set back, or another server's), sum the last three hours again,
-- since new ends may be earlier than what is summed. $2 as in sums_next.sql; a few seconds are tolerated.
UPDATE nexus.sums_progress AS p
SET minutes_until = s.hour, hours_until = least(p.hours_until, s.hour), hours_since = least(p.hours_since, s.hour),
    minutes_since = CASE WHEN p.hours_since <= s.hour THEN p.minutes_since END
FROM (SELECT date_trunc('hour', clock_timestamp() - make_interval(secs => $2) - interval '3 hours', 'UTC') AS hour) AS s
WHERE p.queue = $1 AND p.minutes_until > clock_timestamp() - make_interval(secs => $2) + interval '5 s'
RETURNING p.hours_until
