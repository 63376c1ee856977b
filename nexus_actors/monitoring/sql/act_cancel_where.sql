WITH done AS MATERIALIZED (
    SELECT nexus.cancel_where($1, $2, $3, $4, $5, by => $7, most => $6) AS cancelled
)
SELECT d.cancelled,
       nexus.record('cancel', 'requests',
                    jsonb_strip_nulls(jsonb_build_object('cancelled', d.cancelled, 'agent', $1::text, 'provider', $2::text,
                                                         'older_than', $3::interval, 'state', $4::text, 'why', $5::text)), $7) AS recorded
FROM done AS d
