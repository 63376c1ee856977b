-- nexus.control_log has it by itself.
SELECT (nexus.log_level($1, $2, $3, $4, $5)).action
