-- The names of the queues that requests come from.
SELECT q.name FROM nexus.request_queues AS q
