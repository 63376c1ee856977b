-- As hasten.sql, of all requests whose cancellation was asked for within the last ten seconds: at most 1,000, the last ones.
SELECT nexus.hasten(ARRAY(
    SELECT c.request_id FROM nexus.cancellations AS c WHERE c.requested_at > now() - interval '10 s'
    ORDER BY c.requested_at DESC LIMIT 1000)) AS count
