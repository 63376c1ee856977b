-- The headers with which the request of the dead letter p.plain is sent again: its trace goes on.
(SELECT jsonb_build_object('traceparent', t.trace)
 FROM (SELECT nexus.traceparent(jsonb_build_object('traceparent', p.plain -> 'traceparent')) AS trace) AS t
 WHERE t.trace IS NOT NULL)
