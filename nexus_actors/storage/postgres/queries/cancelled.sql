-- Which of the requests $1 have been cancelled, and by whom.
SELECT c.request_id, c.by, c.why FROM nexus.cancellations AS c WHERE c.request_id = ANY ($1::text[])
