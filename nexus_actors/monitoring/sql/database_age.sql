-- How many transactions old the oldest row of this database is that was never frozen, and at which age the server vacuums for it.
SELECT age(d.datfrozenxid) AS transactions, current_setting('autovacuum_freeze_max_age')::integer AS most,
       current_setting('autovacuum') = 'on' AS autovacuum
FROM pg_database AS d
WHERE d.datname = current_database()
