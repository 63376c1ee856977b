-- Make visible what was read and not stored: with $1 all of it, else what was read for the first time. Its reader may have been
-- killed. Another that still stores it does no harm, since a result stored twice is one row.
UPDATE pgmq.q_{results} SET vt = clock_timestamp()
WHERE ($1 OR read_ct = 1) AND vt > clock_timestamp()
