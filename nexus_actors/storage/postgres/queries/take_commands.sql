-- Take the first waiting order to the node $1. It is carried out only after this is committed. Orders are taken one by
-- one, so that a crash costs one at most. Orders that have waited for $2 seconds are not carried out.
WITH stale AS MATERIALIZED (
    SELECT c.number
    FROM nexus.commands AS c
    WHERE c.node = $1 AND c.taken_at IS NULL AND c.at < statement_timestamp() - make_interval(secs => $2)
    FOR UPDATE SKIP LOCKED
),
left_out AS (
    UPDATE nexus.commands AS c
    SET taken_at = clock_timestamp(), ended_at = clock_timestamp(),
        outcome = format('refused: it waited for more than %s s, and was not carried out', $2::float8)
    FROM stale AS s
    WHERE c.number = s.number
),
waiting AS MATERIALIZED (
    SELECT c.number
    FROM nexus.commands AS c
    WHERE c.node = $1 AND c.taken_at IS NULL AND c.at >= statement_timestamp() - make_interval(secs => $2)
    ORDER BY c.number
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE nexus.commands AS c
SET taken_at = clock_timestamp()
FROM waiting AS w
WHERE c.number = w.number
RETURNING c.number, c.action, c.actor, c.now, c.by, c.why
