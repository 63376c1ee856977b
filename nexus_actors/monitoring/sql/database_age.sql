-- Age of the oldest unfrozen row of this database, in transactions, and the age at which the server forces a vacuum.
SELECT age(d.datfrozenxid) AS transactions, current_setting('autovacuum_freeze_max_age')::integer AS most,
       current_setting('autovacuum') = 'on' AS autovacuum
FROM pg_database AS d
WHERE d.datname = current_database()
