-- Delete up to $3 sums of the queue $1, and as many totals and backlogs, of each span: minutes older than three hours,
-- except those of an hour that they are still needed for; hours and days older than $2 seconds (0: none). Returns how many.
WITH over AS MATERIALIZED (
    SELECT l.span, CASE WHEN l.span = 'minute' THEN (
               SELECT least(clock_timestamp() - interval '3 hours', p.hours_until)
               FROM nexus.sums_progress AS p
               WHERE p.queue = $1 AND p.minutes_since IS NULL)
           ELSE clock_timestamp() - make_interval(secs => nullif($2::float8, 0)) END AS before
    FROM unnest(ARRAY['minute', 'hour', 'day']) AS l (span)
),
old_sums AS MATERIALIZED (
    SELECT s.row FROM over AS o
    CROSS JOIN LATERAL (SELECT t.ctid AS row FROM nexus.sums AS t
                        WHERE t.queue = $1 AND t.span = o.span AND t.at < o.before LIMIT $3) AS s
),
old_totals AS MATERIALIZED (
    SELECT s.row FROM over AS o
    CROSS JOIN LATERAL (SELECT t.ctid AS row FROM nexus.totals AS t
                        WHERE t.queue = $1 AND t.span = o.span AND t.at < o.before LIMIT $3) AS s
),
old_backlog AS MATERIALIZED (
    SELECT s.row FROM over AS o
    CROSS JOIN LATERAL (SELECT t.ctid AS row FROM nexus.backlog AS t
                        WHERE t.queue = $1 AND t.span = o.span AND t.at < o.before LIMIT $3) AS s
),
gone_sums AS (DELETE FROM nexus.sums WHERE ctid = ANY (ARRAY(SELECT row FROM old_sums)) RETURNING 1),
gone_totals AS (DELETE FROM nexus.totals WHERE ctid = ANY (ARRAY(SELECT row FROM old_totals)) RETURNING 1),
gone_backlog AS (DELETE FROM nexus.backlog WHERE ctid = ANY (ARRAY(SELECT row FROM old_backlog)) RETURNING 1)
SELECT (SELECT count(*) FROM gone_sums) + (SELECT count(*) FROM gone_totals) + (SELECT count(*) FROM gone_backlog) AS count
