-- Where a conversation lives: a request that goes on with it (previous_response_id) must go to the same provider.

ALTER TABLE nexus.requests ADD COLUMN response_id text;
COMMENT ON COLUMN nexus.requests.response_id IS
    'The answer''s id, which the provider gave; a request that goes on with it is sent to the same provider.';

-- By a digest, since a provider's id may be longer than an index can hold.
CREATE INDEX requests_response ON nexus.requests (md5(response_id), finished_at) WHERE response_id IS NOT NULL;
