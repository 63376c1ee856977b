SELECT p.minutes_until, p.hours_until, p.hours_since, nexus.latency_bounds() AS bounds, now() AS now
FROM (SELECT 1) AS one
LEFT JOIN nexus.sums_progress AS p ON p.queue = $1
