-- Record the attempts $2 (JSON) of instance $1, whose requests another process has ended or holds by now.
SELECT nexus.record_late($1, '{requests}', $2::json) AS told
