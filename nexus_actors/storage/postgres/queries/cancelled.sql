-- Which of the requests $1 are to be cancelled.
SELECT c.request_id, c.by, c.why FROM nexus.cancellations AS c WHERE c.request_id = ANY ($1::text[])
