-- Replaces the request of the dead letter $1 with the JSON text $2, in the name of $3.
SELECT nexus.edit_letter($1, $2::text::jsonb, $3, '{dead}') AS edited
