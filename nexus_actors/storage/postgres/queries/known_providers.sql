-- The names of providers that some node has, or that an order in force is about.
SELECT jsonb_object_keys(n.concurrency) AS name FROM nexus.nodes AS n
UNION
SELECT c.name FROM nexus.control AS c WHERE c.subject = 'provider'
