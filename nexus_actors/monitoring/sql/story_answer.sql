-- The result in job_results of the id $1, its first $2 characters; `bytes` of all of it. One of more than $3 bytes is not opened.
SELECT left(o.body, $2::integer) AS body, o.bytes, o.fault
FROM public.job_results AS j
CROSS JOIN LATERAL nexus.read_message(j.output, $3, false) AS o
WHERE j.id = $1
