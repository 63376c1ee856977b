-- nexus.control_log records it, by a trigger.
SELECT (nexus.log_level($1, $2, $3, $4, $5)).action
