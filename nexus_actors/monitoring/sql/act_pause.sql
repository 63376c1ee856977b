-- nexus.control_log has it by itself.
SELECT (nexus.pause($1, $2, $3, $4, $5, $6, $7)).action
