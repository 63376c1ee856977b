-- Waiting requests and what they wait for, as in nexus.waiting, but at most a share of $1 rows from each lane, in order, and $1 of each
-- other kind. `kind`: reason (with its detail), agent, lane, due, or next: the $2 that are next.
WITH RECURSIVE lanes AS (
    (SELECT r.lane FROM nexus.requests AS r
     WHERE r.state = 'waiting' AND r.queue = '{requests}' AND r.lane IS NOT NULL ORDER BY r.lane LIMIT 1)
    UNION ALL
    SELECT n.lane
    FROM lanes AS l
    CROSS JOIN LATERAL (
        SELECT r.lane FROM nexus.requests AS r
        WHERE r.state = 'waiting' AND r.queue = '{requests}' AND r.lane > l.lane ORDER BY r.lane LIMIT 1) AS n
),
shares AS MATERIALIZED (
    SELECT l.lane, p.name AS paused, p.by AS paused_by, p.why AS paused_why, p.until AS paused_until,
           greatest($1::bigint / count(*) OVER (), 100) + 1 AS share
    FROM (SELECT * FROM lanes LIMIT 200) AS l
    LEFT JOIN nexus.control AS p
         ON p.action = 'pause' AND p.subject = 'provider' AND p.name = l.lane AND p.node = '*'
            AND (p.until IS NULL OR p.until > clock_timestamp())
),
waiting AS MATERIALIZED (
    SELECT 'lane' AS source, s.lane, r.request_id, r.msg_id, r.agent_id,
           CASE WHEN s.paused IS NOT NULL THEN 'paused' ELSE coalesce(r.wait_reason, 'provider_full') END AS reason,
           CASE WHEN s.paused IS NOT NULL
                THEN format('provider %s is paused by %s%s', s.paused, s.paused_by, ': ' || s.paused_why)
                ELSE coalesce(r.wait_detail, s.lane) END AS detail,
           coalesce(r.wait_since, r.leased_at) AS since, coalesce(s.paused_until, r.wait_until) AS until, r.deadline, r.attempts,
           r.place, r.requests >= s.share AS is_more
    FROM shares AS s
    CROSS JOIN LATERAL (
        SELECT q.*, row_number() OVER (ORDER BY q.msg_id) AS place, count(*) OVER () AS requests
        FROM (SELECT r.request_id, r.msg_id, r.agent_id, r.wait_reason, r.wait_detail, r.wait_since, r.leased_at, r.wait_until,
                     r.deadline, r.attempts
              FROM nexus.requests AS r
              WHERE r.state = 'waiting' AND r.queue = '{requests}' AND r.lane = s.lane
              ORDER BY r.msg_id
              LIMIT s.share) AS q) AS r
    UNION ALL
    SELECT 'moment', NULL, q.request_id, q.msg_id, q.agent_id, q.wait_reason, q.wait_detail, q.wait_since, q.wait_until, q.deadline,
           q.attempts, NULL, count(*) OVER () > $1::bigint
    FROM (SELECT r.* FROM nexus.requests AS r
          WHERE r.state = 'queued' AND r.queue = '{requests}' AND r.wait_until > clock_timestamp()
          ORDER BY r.msg_id
          LIMIT $1::bigint + 1) AS q
    UNION ALL
    SELECT 'lost', NULL, q.request_id, q.msg_id, q.agent_id, 'lost_node', format('leased by %s, which is %s', q.name, q.node_state),
           q.leased_at, NULL, NULL, q.attempts, NULL, count(*) OVER () > $1::bigint
    FROM (SELECT r.*, n.name, n.state AS node_state
          FROM nexus.node_states AS n
          JOIN nexus.requests AS r ON r.owner = n.node AND r.state = 'leased' AND r.queue = '{requests}'
          WHERE n.state IN ('lost', 'stopped')
          LIMIT $1::bigint + 1) AS q
),
due AS MATERIALIZED (
    SELECT greatest(q.vt, q.enqueued_at) AS since
    FROM pgmq.q_{requests} AS q
    WHERE q.vt <= clock_timestamp()
    ORDER BY q.vt
    LIMIT $1::bigint + 1
)
(SELECT 'reason' AS kind, left(w.reason, 256) AS name, left(w.detail, 256) AS detail, w.lane, NULL AS agent_id, count(*) AS requests,
        min(w.since) AS since, min(w.until) AS until, NULL::timestamptz AS deadline, NULL::integer AS attempts,
        bool_or(w.is_more) AS is_more
 FROM waiting AS w
 GROUP BY left(w.reason, 256), left(w.detail, 256), w.lane
 ORDER BY count(*) DESC, 2, 3
 LIMIT 100)
UNION ALL
(SELECT 'agent', left(w.agent_id, 256), NULL, NULL, NULL, count(*), min(w.since), NULL, NULL, NULL,
        bool_or(w.is_more)
 FROM waiting AS w
 GROUP BY left(w.agent_id, 256)
 ORDER BY count(*) DESC, 2
 LIMIT 50)
UNION ALL
SELECT 'due', NULL, NULL, NULL, NULL, count(*), min(d.since), NULL, NULL, NULL, count(*) > $1::bigint
FROM due AS d
HAVING count(*) > 0
UNION ALL
(SELECT 'next', w.request_id, left(w.detail, 256), w.lane, left(w.agent_id, 256), w.place, w.since, w.until, w.deadline, w.attempts, false
 FROM waiting AS w
 WHERE w.source IN ('lane', 'moment')
 ORDER BY w.source, w.place, w.until, w.msg_id
 LIMIT $2)
