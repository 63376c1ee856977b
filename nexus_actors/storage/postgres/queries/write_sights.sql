-- Write those sights $2 (JSON: name → body; null: unchanged) of the node $1 that are looked at. Returns those that are
-- stored now.
WITH seen AS MATERIALIZED (
    SELECT l.what, nullif(s.body, 'null') AS body
    FROM jsonb_each($2::jsonb) AS s (what, body)
    JOIN nexus.looks AS l ON l.node = $1 AND l.what = s.what
),
kept AS (
    UPDATE nexus.sights AS s
    SET at = clock_timestamp()
    FROM seen AS n
    WHERE s.node = $1 AND s.what = n.what AND n.body IS NULL
    RETURNING s.what
),
written AS (
    INSERT INTO nexus.sights AS s (node, what, at, body)
    SELECT $1, n.what, clock_timestamp(), n.body
    FROM seen AS n
    WHERE n.body IS NOT NULL
    ORDER BY n.what
    ON CONFLICT (node, what) DO UPDATE SET at = excluded.at, body = excluded.body
    RETURNING s.what
)
SELECT what FROM kept UNION ALL SELECT what FROM written
