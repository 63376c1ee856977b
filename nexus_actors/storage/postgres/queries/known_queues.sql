-- The names of the queues that requests come from.
SELECT q.name, true AS is_in_use FROM nexus.request_queues AS q
