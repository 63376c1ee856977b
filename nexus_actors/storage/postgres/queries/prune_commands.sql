-- Like prune_requests.sql, for orders given more than $1 seconds ago. nexus.audit keeps who gave them.
SELECT number AS key
FROM nexus.commands
WHERE $1::float8 > 0 AND $2::bigint = 0 AND at < clock_timestamp() - make_interval(secs => $1) AND number <> ALL ($4::bigint[])
ORDER BY number
LIMIT $3
