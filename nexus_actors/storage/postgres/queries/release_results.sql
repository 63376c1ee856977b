-- Make results visible that were read and not stored: all of them with $1, else those that were read once. Their reader
-- may have been killed. If it still stores them, that is harmless: a result that is stored twice is one row.
UPDATE pgmq.q_{results} SET vt = clock_timestamp()
WHERE ($1 OR read_ct = 1) AND vt > clock_timestamp()
