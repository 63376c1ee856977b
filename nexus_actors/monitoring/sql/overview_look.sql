-- Makes these nodes show their status for ten seconds, in the name of $2. Nodes that have just stopped are skipped.
SELECT n.node, nexus.look(n.node, 'status', $2) AS looked
FROM nexus.node_states AS n
WHERE n.node = ANY ($1::text[]) AND n.state NOT IN ('lost', 'stopped')
