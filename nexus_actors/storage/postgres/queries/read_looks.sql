-- What people currently look at on the node $1.
SELECT what FROM nexus.looks WHERE node = $1 AND until > clock_timestamp() ORDER BY what LIMIT 100
