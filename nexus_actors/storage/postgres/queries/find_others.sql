-- Find up to $2 messages that are due, from $3 on, and that differ from all messages $1 in a field that routing looks
-- at ($4: including the agent). Also return the time up to which all were examined, where the next search may begin. A
-- search takes 0.1 s at most. That time is at least a moment ago, since a message may be sent before it and committed
-- after it.
--
-- Nothing is locked: `lease` takes them if they are still there.
WITH alike AS MATERIALIZED (
    SELECT s.labels
    FROM (SELECT {labels} AS labels FROM pgmq.q_{requests} AS q WHERE q.msg_id = ANY ($1::bigint[])) AS s
    WHERE s.labels IS NOT NULL
),
found AS MATERIALIZED (
    SELECT n.msg_id, n.due, n.late
    FROM (SELECT q.msg_id, {due} AS due, clock_timestamp() > statement_timestamp() + interval '100 milliseconds' AS late,
                 CASE WHEN clock_timestamp() <= statement_timestamp() + interval '100 milliseconds' THEN {labels} END AS labels
          FROM pgmq.q_{requests} AS q
          WHERE {due} <= now() AND {due} >= coalesce($3::timestamptz, '-infinity') AND EXISTS (SELECT FROM alike)
          ORDER BY {due}
          LIMIT 1000000) AS n  -- the limit makes the planner read them in this order
    WHERE n.late OR n.labels NOT IN (SELECT labels FROM alike)
    LIMIT $2
)
SELECT ARRAY(SELECT msg_id FROM found WHERE NOT late) AS msg_ids,
       -- A time within the range of a datetime.
       greatest('1970-01-01 00:00:00+00', least(
           now() - interval '200 milliseconds',
           (SELECT min(due) FROM found WHERE late),
           (SELECT max(due) FROM found HAVING count(*) >= $2))) AS looked_until
