-- How many once-leased requests wait, by reason. At most $2 of each kind are read.
SELECT w.reason, count(*) AS requests
FROM (
    (SELECT coalesce(r.wait_reason, 'provider_full') AS reason
     FROM nexus.requests AS r
     WHERE r.queue = $1 AND r.state = 'waiting'
     LIMIT $2::bigint)
    UNION ALL
    (SELECT coalesce(r.wait_reason, 'not_before')
     FROM nexus.requests AS r
     WHERE r.queue = $1 AND r.state = 'queued' AND r.wait_until > clock_timestamp()
     LIMIT $2::bigint)
) AS w
GROUP BY 1
ORDER BY 2 DESC, 1
