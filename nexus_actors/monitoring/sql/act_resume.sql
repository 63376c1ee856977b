-- nexus.control_log has it by itself.
SELECT nexus.resume($1, $2, $3, $4) AS count
