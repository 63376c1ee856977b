-- The waiting requests of queue $1, optionally of agent $2 and for reason $3: the number for each reason and detail,
-- and up to $4 requests, longest waiting first.
WITH found AS MATERIALIZED (
    SELECT w.*
    FROM nexus.waiting AS w
    WHERE w.queue = $1 AND ($2::text IS NULL OR w.agent_id = $2) AND ($3::text IS NULL OR w.reason = $3)
)
(SELECT true AS is_group, f.reason, f.detail, sum(f.requests)::bigint AS requests, min(f.since) AS since, min(f.until) AS until,
        min(f.deadline) AS deadline, NULL::bigint AS before, NULL::text AS request_id, NULL::text AS agent_id, NULL::integer AS attempts
 FROM found AS f
 GROUP BY f.reason, f.detail
 ORDER BY 4 DESC, 2, 3
 LIMIT 200)
UNION ALL
(SELECT false, f.reason, f.detail, f.requests, f.since, f.until, f.deadline, f.before, f.request_id, f.agent_id, f.attempts
 FROM found AS f
 WHERE f.request_id IS NOT NULL
 ORDER BY f.since, f.msg_id
 LIMIT $4)
