SELECT nexus.record($1, $2, $3::text::jsonb, $4) AS recorded
