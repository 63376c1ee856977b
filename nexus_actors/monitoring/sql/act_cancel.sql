WITH done AS MATERIALIZED (
    SELECT nexus.cancel($1, $2, $3) AS found
)
SELECT d.found, nexus.record('cancel', left('request ' || $1::text, 1000),
                             jsonb_strip_nulls(jsonb_build_object('found', d.found, 'why', $2::text)), $3) AS recorded
FROM done AS d
