-- Find up to $2 messages that are due, from $3 on, and are unlike all of the messages $1 by what routing goes by ($4: the agent
-- too); and up to when it was looked: the next time may begin there. What was sent before that, but committed later, is not seen
-- from there; so it is a moment ago at most.
--
-- Nothing is locked: `lease` takes them if they are still there.
WITH alike AS MATERIALIZED (
    SELECT s.labels
    FROM (SELECT {labels} AS labels FROM pgmq.q_{requests} AS q WHERE q.msg_id = ANY ($1::bigint[])) AS s
    WHERE s.labels IS NOT NULL
),
found AS MATERIALIZED (
    SELECT n.msg_id, n.due
    FROM (SELECT q.msg_id, {due} AS due, {labels} AS labels
          FROM pgmq.q_{requests} AS q
          WHERE {due} <= now() AND {due} >= coalesce($3::timestamptz, '-infinity') AND EXISTS (SELECT FROM alike)
          ORDER BY {due}
          LIMIT 20000) AS n
    WHERE (n.labels IN (SELECT labels FROM alike)) IS NOT TRUE
    LIMIT $2
)
SELECT ARRAY(SELECT msg_id FROM found) AS msg_ids,
       -- A time that a datetime can hold.
       greatest('1970-01-01 00:00:00+00', least(
           now() - interval '200 milliseconds',
           CASE WHEN (SELECT count(*) FROM found) >= $2 THEN (SELECT max(due) FROM found)
                ELSE (SELECT {due} FROM pgmq.q_{requests} AS q
                      WHERE {due} <= now() AND {due} >= coalesce($3::timestamptz, '-infinity')
                      ORDER BY {due} OFFSET 19999 LIMIT 1) END)) AS looked_until
