-- Make visible what was read for the first time and not stored: its reader may have been killed. Another that still stores it
-- does no harm, since a result stored twice is one row.
UPDATE pgmq.q_{results} SET vt = clock_timestamp()
WHERE read_ct = 1 AND vt > clock_timestamp()
