-- What models were found not to take. A provider that refuses a field of a request is asked again without it; what was
-- answered then is remembered here for all services on this database, so that it is refused once and not once a request.
CREATE TABLE nexus.model_quirks (
    provider  text NOT NULL CHECK (length(provider) BETWEEN 1 AND 255),
    model     text NOT NULL CHECK (length(model) BETWEEN 1 AND 255),
    field     text NOT NULL CHECK (length(field) BETWEEN 1 AND 64),
    effort    text NOT NULL CHECK (length(effort) <= 16),
    reason    text NOT NULL CHECK (length(reason) <= 200),
    learnt_at timestamptz NOT NULL,
    PRIMARY KEY (provider, model, field, effort)
);

COMMENT ON TABLE nexus.model_quirks IS 'One row for each field that a model was found not to take. Safe to delete from at any time.';
COMMENT ON COLUMN nexus.model_quirks.provider IS 'The provider''s name in the config.';
COMMENT ON COLUMN nexus.model_quirks.model IS 'The model that was asked for.';
COMMENT ON COLUMN nexus.model_quirks.field IS 'The field of the request.';
COMMENT ON COLUMN nexus.model_quirks.effort IS 'The request''s reasoning_effort, for which alone it was learnt; empty where it had none.';
COMMENT ON COLUMN nexus.model_quirks.reason IS 'What a result''s dropped tells of it.';
COMMENT ON COLUMN nexus.model_quirks.learnt_at IS 'When it was learnt. A day later it holds no more, and the provider is asked again.';

-- Also for whoever deletes rows by hand: what is forgotten here is forgotten by all that run.
CREATE TRIGGER notify_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON nexus.model_quirks
FOR EACH STATEMENT EXECUTE FUNCTION nexus.notify_insert('nexus_model_quirks');
