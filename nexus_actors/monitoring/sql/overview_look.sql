-- Have these nodes show how they are, for as long as somebody looks; nothing of one that has just gone.
SELECT n.node, nexus.look(n.node, 'status', $2) AS looked
FROM nexus.node_states AS n
WHERE n.node = ANY ($1::text[]) AND n.state NOT IN ('lost', 'stopped')
