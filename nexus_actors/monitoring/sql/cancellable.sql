-- How many requests in the journal nexus.cancel_where would cancel, up to $5: agent $1, waiting for room at provider $2, sent longer than
-- $3 ago (each null: any), state $4 (queued, running or any). No message in a queue is opened.
SELECT count(*) AS requests, count(*) FILTER (WHERE m.state = 'leased') AS running
FROM (
    SELECT r.state
    FROM (
        SELECT r.* FROM nexus.requests AS r WHERE r.state = 'waiting' AND $4::text IN ('queued', 'any')
        UNION ALL
        SELECT r.* FROM nexus.requests AS r WHERE r.state = 'queued' AND $4::text IN ('queued', 'any')
        UNION ALL
        SELECT r.* FROM nexus.requests AS r WHERE r.state = 'leased' AND $4::text IN ('running', 'any')
    ) AS r
    WHERE ($1::text IS NULL OR r.agent_id = $1)
          AND ($2::text IS NULL OR r.state = 'waiting' AND r.lane = $2)
          AND ($3::interval IS NULL OR r.received_at < clock_timestamp() - $3::interval)
          AND NOT EXISTS (SELECT FROM nexus.cancellations AS c WHERE c.request_id = r.request_id)
    LIMIT $5
) AS m
