-- Which of the columns $1 the requests queue has, in that order; its archive has the same.
SELECT c.name
FROM unnest($1::text[]) WITH ORDINALITY AS c (name, place)
JOIN pg_attribute AS a ON a.attrelid = 'pgmq.q_{requests}'::regclass AND a.attname = c.name AND NOT a.attisdropped
ORDER BY c.place
