-- Part of the statements that lease: who gave the answer that the request i continues. Some servers give all answers the same
-- id: the last one counts.
LEFT JOIN LATERAL (
    SELECT h.provider, h.model,
           (SELECT a.key_name FROM nexus.attempts AS a
            WHERE a.request_id = h.request_id AND a.outcome = 'ok'
            ORDER BY a.number DESC LIMIT 1) AS key_name
    FROM nexus.requests AS h
    WHERE md5(h.response_id) = md5(i.previous_id) AND h.response_id = i.previous_id
    ORDER BY h.finished_at DESC
    LIMIT 1
) AS p ON true
