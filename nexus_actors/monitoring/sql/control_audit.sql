-- The newest $5 changes of nexus.control numbered below $1; of these at most $4, newest first, whose `by` contains $2 and whose action
-- contains $3. `looked`: how many were read; `last`: the lowest number among them.
WITH looked AS MATERIALIZED (
    SELECT l.* FROM nexus.control_log AS l WHERE l.number < $1 ORDER BY l.number DESC LIMIT $5
),
bounds AS (SELECT count(*) AS looked, min(l.number) AS last FROM looked AS l)
SELECT b.looked, b.last, f.number, f.at, f.by, f.role, f.action, f.subject, f.detail
FROM bounds AS b
LEFT JOIN (
    SELECT l.number, l.at, l.by, l.role,
           CASE WHEN l.after IS NULL THEN 'end ' || l.action WHEN l.before IS NULL THEN l.action ELSE 'change ' || l.action END AS action,
           concat_ws(' ', l.subject, nullif(l.name, ''), CASE WHEN l.node <> '*' THEN 'on ' || l.node END) AS subject,
           left(nullif(jsonb_strip_nulls(coalesce(l.after, l.before) - ARRAY['by', 'since']), '{}')::text, 2000) AS detail
    FROM looked AS l
    WHERE strpos(lower(l.by), lower($2)) > 0 AND strpos(lower(l.action), lower($3)) > 0
    ORDER BY l.number DESC
    LIMIT $4
) AS f ON true
ORDER BY f.number DESC
