-- What an attempt was like: turned away early, sent without some fields, streamed.

ALTER TABLE nexus.requests ADD COLUMN spared_attempts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN nexus.requests.spared_attempts IS
    'Those of attempts that do not count towards max_attempts: the provider said to come later.';

ALTER TABLE nexus.attempts
    ADD COLUMN spared boolean NOT NULL DEFAULT false,
    ADD COLUMN dropped text[] NOT NULL DEFAULT '{}',
    ADD COLUMN first_text_ms integer;
COMMENT ON COLUMN nexus.attempts.spared IS
    'The provider said to come later (429): the attempt does not count towards max_attempts.';
COMMENT ON COLUMN nexus.attempts.dropped IS
    'Fields of the request that the provider cannot honour and was not sent.';
COMMENT ON COLUMN nexus.attempts.first_text_ms IS
    'Milliseconds until the first text of a streamed answer; null where none was streamed.';
