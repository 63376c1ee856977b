-- Where a cost comes from: who looks into a bill wants to know whether the provider said it.
ALTER TABLE nexus.requests ADD COLUMN cost_basis text
    CHECK (cost_basis IN ('told', 'list', 'partial', 'unknown'));
COMMENT ON COLUMN nexus.requests.cost_basis IS
    'told: the provider said the cost. list: a list of prices. partial: the list lacks a price of something used, and cost is null. unknown: nobody knows. Null where nothing was answered.';

ALTER TABLE nexus.attempts ADD COLUMN cost_basis text
    CHECK (cost_basis IN ('told', 'list', 'partial', 'unknown'));
COMMENT ON COLUMN nexus.attempts.cost_basis IS 'As nexus.requests.cost_basis.';

COMMENT ON COLUMN nexus.requests.spared_attempts IS
    'Those of attempts that do not count towards max_attempts: see nexus.attempts.spared.';
COMMENT ON COLUMN nexus.attempts.spared IS
    'The attempt does not count towards max_attempts: the provider said to come later (429), or refused a field without which it was asked again.';
COMMENT ON COLUMN nexus.attempts.dropped IS
    'Fields of the request that the provider was not sent as they were asked for, some with the reason.';
