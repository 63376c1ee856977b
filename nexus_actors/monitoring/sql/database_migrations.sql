-- The applied migrations, latest first, at most $1.
SELECT m.number, m.name, m.applied_at, m.works_with FROM nexus.migrations AS m ORDER BY m.number DESC LIMIT $1
