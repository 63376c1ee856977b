-- nexus.control_log has it by itself.
SELECT (nexus.drain($1, $2, $3, $4)).action
