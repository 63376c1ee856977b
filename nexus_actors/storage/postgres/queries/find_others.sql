-- Find up to $2 messages that are due, from $3 on, and are unlike all of the messages $1 by what routing goes by ($4: the agent
-- too); and up to when it was looked: the next time may begin there. It looks for 0.1 s; what comes then is late. What was sent
-- before that, but committed later, is not seen from there; so it is a moment ago at most.
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
          LIMIT 1000000) AS n  -- the limit says that few are read, so they are read in this order
    WHERE n.late OR n.labels NOT IN (SELECT labels FROM alike)
    LIMIT $2
)
SELECT ARRAY(SELECT msg_id FROM found WHERE NOT late) AS msg_ids,
       -- A time that a datetime can hold.
       greatest('1970-01-01 00:00:00+00', least(
           now() - interval '200 milliseconds',
           (SELECT min(due) FROM found WHERE late),
           (SELECT max(due) FROM found HAVING count(*) >= $2))) AS looked_until
