-- The headers for sending the request of the dead letter p.plain again, which continues its trace.
(SELECT jsonb_build_object('traceparent', t.trace)
 FROM (SELECT nexus.traceparent(jsonb_build_object('traceparent', p.plain -> 'traceparent')) AS trace) AS t
 WHERE t.trace IS NOT NULL)
