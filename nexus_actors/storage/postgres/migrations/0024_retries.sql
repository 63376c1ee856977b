-- A request that failed tells which it was sent again as. Few are, so this is small.
CREATE INDEX requests_retry ON nexus.requests (retry_of) WHERE retry_of IS NOT NULL;
