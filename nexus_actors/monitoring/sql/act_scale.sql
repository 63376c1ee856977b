-- nexus.control_log records it, by a trigger.
SELECT (nexus.scale($1, $2, $3, $4, $5, $6)).action
