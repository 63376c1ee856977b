-- nexus.control_log records it, by a trigger.
SELECT (nexus.pause($1, $2, $3, $4, $5, $6, $7)).action
