-- Sum the sums of the queue $1 with the span $8 from $3 until before $4 as the span $2; $5 to $7 as in sum_requests.sql.
WITH parts AS MATERIALIZED (
    SELECT s.* FROM nexus.sums AS s WHERE s.queue = $1 AND s.span = $8 AND s.at >= $3 AND s.at < $4
),
{folded}
