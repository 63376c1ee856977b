-- Hold the chore $1 of the queue $2 as the node $3: if it is free, its own, or its holder has sent no heartbeat for $4
-- seconds.
-- term: null if another node holds it. idle: seconds since any node completed a round, at most $5.
WITH free AS MATERIALIZED (
    SELECT chore, queue
    FROM nexus.chores
    WHERE chore = $1 AND queue = $2
          AND (node IS NULL OR node = $3 OR beat_at IS NULL OR beat_at < clock_timestamp() - make_interval(secs => $4))
    FOR NO KEY UPDATE SKIP LOCKED
),
taken AS (
    UPDATE nexus.chores AS c
    SET node = $3, term = c.term + (c.node IS DISTINCT FROM $3)::integer, beat_at = clock_timestamp()
    FROM free AS f
    WHERE c.chore = f.chore AND c.queue = f.queue
    RETURNING c.term
),
made AS (
    INSERT INTO nexus.chores (chore, queue, node, beat_at)
    SELECT $1, $2, $3, clock_timestamp()
    WHERE NOT EXISTS (SELECT FROM nexus.chores WHERE chore = $1 AND queue = $2)
    ON CONFLICT DO NOTHING
    RETURNING term
)
SELECT coalesce((SELECT term FROM taken), (SELECT term FROM made)) AS term,
       least($5::float8, coalesce((
           SELECT extract(epoch FROM clock_timestamp() - greatest(done_at, made_at))
           FROM nexus.chores
           WHERE chore = $1 AND queue = $2), 0)) AS idle
