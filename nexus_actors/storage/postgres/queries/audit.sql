-- The last $1 acts of operators, newest first. Of an order that its node refused, while nexus.commands has it, the refusal.
SELECT acts.at, acts.by, acts.role, acts.action, acts.subject, acts.detail
FROM ((SELECT a.at, a.by, a.role,
              a.action || CASE WHEN o.refused IS NULL THEN '' ELSE ' refused' END AS action,
              a.subject,
              (CASE WHEN o.refused IS NULL THEN a.detail
                    ELSE a.detail || jsonb_build_object('refused', o.refused) END)::text AS detail,
              a.number
       FROM (SELECT * FROM nexus.audit ORDER BY number DESC LIMIT $1) AS a
       LEFT JOIN LATERAL (
           SELECT substr(c.outcome, length('refused: ') + 1) AS refused
           FROM nexus.commands AS c
           WHERE a.detail -> 'command' = to_jsonb(c.number) AND starts_with(c.outcome, 'refused: ')) AS o ON true)
      UNION ALL
      (SELECT c.at, c.by, c.role, CASE WHEN c.after IS NULL THEN 'end ' ELSE '' END || c.action,
              concat_ws(' ', c.subject, nullif(c.name, ''), 'on ' || nullif(c.node, '*')),
              jsonb_strip_nulls(jsonb_build_object(
                  'value', coalesce(c.after, c.before) -> 'value',
                  'until', coalesce(c.after, c.before) -> 'until',
                  'why', coalesce(c.after, c.before) -> 'why'))::text,
              c.number
       FROM nexus.control_log AS c ORDER BY c.number DESC LIMIT $1)) AS acts
ORDER BY acts.at DESC, acts.number DESC
LIMIT $1
