-- The result with the id $1 in job_results, its first $2 characters; `bytes` is its full size. A larger one than $3 bytes is not opened.
SELECT left(o.body, $2::integer) AS body, o.bytes, o.fault
FROM public.job_results AS j
CROSS JOIN LATERAL nexus.read_message(j.output, $3, false) AS o
WHERE j.id = $1
