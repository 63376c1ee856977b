-- nexus.control_log records it, by a trigger.
SELECT nexus.resume($1, $2, $3, $4) AS count
