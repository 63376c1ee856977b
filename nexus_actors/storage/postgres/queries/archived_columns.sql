-- The columns that the requests queue and its archive share, as a list in SQL.
SELECT quote_ident(q.attname) AS name
FROM pg_attribute AS q
JOIN pg_attribute AS a ON a.attrelid = 'pgmq.a_{requests}'::regclass AND a.attname = q.attname
WHERE q.attrelid = 'pgmq.q_{requests}'::regclass AND q.attnum > 0 AND a.attnum > 0
      AND NOT q.attisdropped AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY q.attnum
