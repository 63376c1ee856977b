-- What request $1 waits for, as in nexus.waiting. Other requests are only counted, for its position.
SELECT CASE WHEN p.name IS NOT NULL THEN 'paused' ELSE coalesce(r.wait_reason, 'provider_full') END AS reason,
       CASE WHEN p.name IS NOT NULL THEN format('provider %s is paused by %s%s%s', p.name, p.by, ' until ' || p.until, ': ' || p.why)
            ELSE coalesce(r.wait_detail, r.lane) END AS detail,
       coalesce(r.wait_since, r.leased_at) AS since, coalesce(p.until, r.wait_until) AS until, r.deadline,
       CASE WHEN r.state = 'waiting' THEN (
           SELECT count(*)
           FROM (SELECT FROM nexus.requests AS o
                 WHERE o.state = 'waiting' AND o.queue = r.queue AND o.lane = r.lane AND o.msg_id < r.msg_id
                 LIMIT 100000) AS o) END AS before
FROM nexus.requests AS r
LEFT JOIN nexus.control AS p
     ON p.action = 'pause' AND p.subject = 'provider' AND p.name = r.lane AND p.node = '*'
        AND (p.until IS NULL OR p.until > clock_timestamp())
WHERE r.request_id = $1 AND (r.state = 'waiting' OR r.state = 'queued' AND r.wait_until > clock_timestamp())
