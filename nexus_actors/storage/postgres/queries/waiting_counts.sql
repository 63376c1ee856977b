-- How many requests that were leased once wait, by what for; since when the oldest does, and when the first may be called again.
SELECT coalesce(r.wait_reason, 'provider_full') AS reason, count(*) AS requests, min(r.wait_since) AS since,
       min(r.wait_until) AS until
FROM nexus.requests AS r
WHERE r.queue = '{requests}' AND (r.state = 'waiting' OR r.state = 'queued' AND r.wait_until > clock_timestamp())
GROUP BY 1
ORDER BY 2 DESC, 1
