-- Like hasten.sql, for all requests that were cancelled within the last ten seconds: at most the last 1,000.
SELECT nexus.hasten(ARRAY(
    SELECT c.request_id FROM nexus.cancellations AS c WHERE c.requested_at > now() - interval '10 s'
    ORDER BY c.requested_at DESC LIMIT 1000)) AS count
