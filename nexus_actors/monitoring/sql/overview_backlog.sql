-- The length of the queue $1 in each span of kind $2 from $3 on.
SELECT b.at, b.messages, b.due_seconds
FROM nexus.backlog AS b
WHERE b.queue = $1 AND b.span = $2 AND b.at >= $3
