-- nexus.control_log records it, by a trigger.
SELECT (nexus.drain($1, $2, $3, $4)).action
