-- Totals of the requests that ended in the full hours from $1 to $2 (null: now) that are summed: a few hundred hours at most.
SELECT min(t.at) AS since, max(t.at) + interval '1 h' AS until, sum(t.requests)::bigint AS requests, sum(t.failed)::bigint AS failed,
       sum(t.cost) AS cost
FROM (SELECT * FROM nexus.totals AS t
      WHERE t.queue = '{requests}' AND t.span = 'hour' AND t.at >= $1::timestamptz
            AND t.at + interval '1 h' <= coalesce($2::timestamptz, 'infinity')
      ORDER BY t.at DESC
      LIMIT 10000) AS t
