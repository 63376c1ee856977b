-- What these nodes have shown about their providers in the last seconds.
SELECT s.node, extract(epoch FROM clock_timestamp() - s.at)::float8 AS age, (s.body -> 'providers')::text AS providers,
       (s.body -> 'outages')::text AS outages, (s.body -> 'objective')::text AS objective
FROM nexus.sights AS s
WHERE s.node = ANY ($1::text[]) AND s.what = 'status' AND s.at > clock_timestamp() - interval '15 s'
