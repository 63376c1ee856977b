-- Delete the dead letters $1 for good.
SELECT count(*) FROM pgmq.delete('{dead}', $1::bigint[])
