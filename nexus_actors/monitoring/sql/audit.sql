-- What operators have done, newest first in each log: the newest $6 changes of nexus.control numbered below $1 and the
-- newest $6 entries of nexus.audit below $2; of these at most $5 of each, whose `by` contains $3 and whose action
-- contains $4. `detail` has at most $7 characters. `looked`: how many entries of the log were read; `last`: the lowest
-- number among them; both are in a row of nulls if none matches. `refused`: why the node refused the order, as long as
-- nexus.commands has it.
WITH looked AS MATERIALIZED (
    (SELECT true AS is_control, c.number, c.at, c.by, c.role, c.action,
            CASE WHEN c.after IS NULL THEN 'end' WHEN c.before IS NOT NULL THEN 'change' END AS change,
            concat_ws(' ', c.subject, nullif(c.name, ''), 'on ' || nullif(c.node, '*')) AS subject,
            coalesce(c.after, c.before) AS detail
     FROM nexus.control_log AS c WHERE c.number < $1 ORDER BY c.number DESC LIMIT $6)
    UNION ALL
    (SELECT false, a.number, a.at, a.by, a.role, a.action, NULL, a.subject, a.detail
     FROM nexus.audit AS a WHERE a.number < $2 ORDER BY a.number DESC LIMIT $6)
),
logs AS (
    SELECT k.is_control, count(l.number) AS looked, min(l.number) AS last
    FROM (VALUES (true), (false)) AS k (is_control)
    LEFT JOIN looked AS l ON l.is_control = k.is_control
    GROUP BY k.is_control
),
matching AS (
    SELECT l.*, row_number() OVER (PARTITION BY l.is_control ORDER BY l.number DESC) AS place
    FROM looked AS l
    WHERE strpos(lower(l.by), lower($3)) > 0 AND strpos(lower(l.action), lower($4)) > 0
)
SELECT k.is_control, k.looked, k.last, m.number, m.at, m.by, m.role, m.action, m.change, m.subject, o.refused,
       left((CASE WHEN k.is_control THEN jsonb_strip_nulls(m.detail - ARRAY['by', 'since'])
                  ELSE m.detail END)::text, $7) AS detail
FROM logs AS k
LEFT JOIN matching AS m ON m.is_control = k.is_control AND m.place <= $5
LEFT JOIN LATERAL (
    SELECT substr(c.outcome, length('refused: ') + 1) AS refused
    FROM nexus.commands AS c
    -- By the primary key; a detail may be anything.
    WHERE c.number = CASE WHEN NOT k.is_control AND m.detail ->> 'command' ~ '^[0-9]{1,18}$'
                          THEN (m.detail ->> 'command')::bigint END
          AND starts_with(c.outcome, 'refused: ')) AS o ON true
ORDER BY k.is_control DESC, m.number DESC
