-- The schema and its list of applied migrations: made before the first of them.
CREATE SCHEMA IF NOT EXISTS nexus;
COMMENT ON SCHEMA nexus IS 'The journal of nexus-actors.';

CREATE TABLE nexus.migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE nexus.migrations IS 'The migrations that were applied, each once.';
COMMENT ON COLUMN nexus.migrations.number IS 'The number its file name begins with.';
COMMENT ON COLUMN nexus.migrations.name IS 'The file''s name.';
COMMENT ON COLUMN nexus.migrations.applied_at IS 'When.';
