-- Record the attempts $2 (JSON) of instance $1 for requests that another process has ended or now holds. The wait for
-- locks is as short as in finish.sql.
SELECT nexus.record_late($1, '{requests}', $2::json) AS recorded FROM set_config('lock_timeout', '{lock_timeout}', true)
