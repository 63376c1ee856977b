-- The same as control_audit.sql, for nexus.audit.
WITH looked AS MATERIALIZED (
    SELECT l.* FROM nexus.audit AS l WHERE l.number < $1 ORDER BY l.number DESC LIMIT $5
),
bounds AS (SELECT count(*) AS looked, min(l.number) AS last FROM looked AS l)
SELECT b.looked, b.last, f.number, f.at, f.by, f.role, f.action, f.subject, f.detail
FROM bounds AS b
LEFT JOIN (
    SELECT l.number, l.at, l.by, l.role, l.action, l.subject, left(nullif(l.detail, '{}')::text, 2000) AS detail
    FROM looked AS l
    WHERE strpos(lower(l.by), lower($2)) > 0 AND strpos(lower(l.action), lower($3)) > 0
    ORDER BY l.number DESC
    LIMIT $4
) AS f ON true
ORDER BY f.number DESC
