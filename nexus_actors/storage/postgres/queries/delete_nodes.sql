-- Delete the rows of the nodes $1, unless they have sent a heartbeat meanwhile. Returns how many.
WITH gone AS (
    DELETE FROM nexus.nodes AS n
    WHERE n.node = ANY ($1::text[]) AND (n.state = 'stopped' OR n.beat_at < clock_timestamp() - interval '10 s')
    RETURNING 1
)
SELECT count(*) FROM gone
