-- What somebody looks at of the node $1.
SELECT what FROM nexus.looks WHERE node = $1 AND until > clock_timestamp() ORDER BY what LIMIT 100
