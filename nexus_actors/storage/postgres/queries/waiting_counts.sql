-- Requests that were leased once and wait, by reason: how many, the earliest start, and the earliest next call.
SELECT coalesce(r.wait_reason, 'provider_full') AS reason, count(*) AS requests, min(r.wait_since) AS since,
       min(r.wait_until) AS until
FROM nexus.requests AS r
WHERE r.queue = '{requests}' AND (r.state = 'waiting' OR r.state = 'queued' AND r.wait_until > clock_timestamp())
GROUP BY 1
ORDER BY 2 DESC, 1
