-- nexus.control_log has it by itself.
SELECT (nexus.scale($1, $2, $3, $4, $5, $6)).action
