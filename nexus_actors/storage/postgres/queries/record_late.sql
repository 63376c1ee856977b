-- Record the attempts $2 (JSON) of instance $1, whose requests another process has ended or holds by now. Locks are waited for
-- no longer than in finish.sql.
SELECT nexus.record_late($1, '{requests}', $2::json) AS told FROM set_config('lock_timeout', '{lock_timeout}', true)
