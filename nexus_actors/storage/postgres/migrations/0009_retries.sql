-- A dead letter that is sent again is a request of its own, since its id has had its one result.
ALTER TABLE nexus.requests ADD COLUMN retry_of text;
COMMENT ON COLUMN nexus.requests.retry_of IS 'The request whose dead letter this one was made of.';
