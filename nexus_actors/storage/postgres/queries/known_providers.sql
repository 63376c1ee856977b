-- The names of providers that some node has, or that an order is about. In use are those of nodes that run and of orders
-- in force: rows of nodes that are gone, and of orders that have ended, stay for a while.
SELECT k.name, bool_or(k.is_in_use) AS is_in_use
FROM (
    SELECT jsonb_object_keys(n.concurrency) AS name, n.state NOT IN ('stopped', 'lost') AS is_in_use
    FROM nexus.node_states AS n
    UNION ALL
    SELECT c.name, c.until IS NULL OR c.until > clock_timestamp() FROM nexus.control AS c WHERE c.subject = 'provider'
) AS k
GROUP BY k.name
