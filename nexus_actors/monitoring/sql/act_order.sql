-- nexus.command records it.
SELECT nexus.command($1, $2, $3, $4, $5, $6) AS number
