-- How the requests of the queue $1 ended in the last hour, and in its newest full minute, as far as both are summed; without the
-- errors $2. A minute that ended more than three minutes ago is not the newest one: summing lags.
-- Where nothing failed, nexus.sums, which may have thousands of rows for each minute, is not read.
SELECT coalesce(sum(s.requests), 0)::bigint AS requests,
       coalesce(sum(s.requests) FILTER (WHERE s.error_type <> ''), 0)::bigint AS failed,
       coalesce(sum(s.requests) FILTER (WHERE s.is_newest), 0)::bigint AS newest_requests,
       coalesce(sum(s.requests) FILTER (WHERE s.is_newest AND s.error_type <> ''), 0)::bigint AS newest_failed
FROM (SELECT s.requests, s.error_type,
             s.at = p.minutes_until - interval '1 min' AND p.minutes_until >= now() - interval '3 min' AS is_newest
      FROM nexus.sums_progress AS p
      JOIN nexus.sums AS s ON s.queue = p.queue AND s.span = 'minute' AND s.at >= now() - interval '1 hour' AND s.at < p.minutes_until
      WHERE p.queue = $1 AND s.error_type <> ALL ($2::text[])
        AND EXISTS (SELECT FROM nexus.totals AS t
                    WHERE t.queue = $1 AND t.span = 'minute' AND t.at >= now() - interval '1 hour' AND t.failed > 0)) AS s
