-- What has ended is found by its age, to be deleted when it has been kept for long enough.
CREATE INDEX requests_finished ON nexus.requests (finished_at) WHERE finished_at IS NOT NULL;
