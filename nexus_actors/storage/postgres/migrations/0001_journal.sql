-- The journal: what became of each request. One row per request_id, changed only together with its message.

CREATE TABLE nexus.requests (
    request_id        text PRIMARY KEY,
    queue             text NOT NULL,
    msg_id            bigint NOT NULL,
    read_ct           integer NOT NULL,
    owner             text NOT NULL,
    state             text NOT NULL CHECK (state IN ('leased', 'waiting', 'queued', 'done', 'failed')),
    digest            text NOT NULL,
    attempts          integer NOT NULL DEFAULT 0,
    skip_candidates   integer NOT NULL DEFAULT 0,
    lane              text,
    deadline          timestamptz,
    received_at       timestamptz NOT NULL,
    leased_at         timestamptz NOT NULL,
    finished_at       timestamptz,
    agent_id          text,
    complexity        text,
    task_type         text,
    provider          text,
    model             text,
    prompt_tokens     bigint,
    completion_tokens bigint,
    cost              numeric,
    latency_ms        bigint,
    error_type        text,
    steps             jsonb NOT NULL DEFAULT '[]'
) WITH (fillfactor = 80);

COMMENT ON TABLE nexus.requests IS 'One row per request: who works on it, and how it ended.';
COMMENT ON COLUMN nexus.requests.request_id IS 'The producer''s id. A second message with the same id is a duplicate.';
COMMENT ON COLUMN nexus.requests.queue IS 'The queue whose message carries the request.';
COMMENT ON COLUMN nexus.requests.msg_id IS 'That message.';
COMMENT ON COLUMN nexus.requests.read_ct IS 'Its delivery that holds the lease: with msg_id the fencing token.';
COMMENT ON COLUMN nexus.requests.owner IS 'The service instance that leased it last.';
COMMENT ON COLUMN nexus.requests.state IS
    'leased: in work. waiting: invisible until its lane has room. queued: given back, visible. done, failed: ended, result published.';
COMMENT ON COLUMN nexus.requests.digest IS 'MD5 of the request without its timestamp, to tell a repeated request from another one with the same id.';
COMMENT ON COLUMN nexus.requests.attempts IS 'Calls to providers. While leased, one is counted ahead.';
COMMENT ON COLUMN nexus.requests.skip_candidates IS 'Candidates of the route that earlier attempts have used up.';
COMMENT ON COLUMN nexus.requests.lane IS 'The provider whose lane it waits for; null unless waiting.';
COMMENT ON COLUMN nexus.requests.deadline IS 'When the time of a waiting request is over; null where it set none.';
COMMENT ON COLUMN nexus.requests.received_at IS 'When the producer sent the message.';
COMMENT ON COLUMN nexus.requests.leased_at IS 'When it was leased last.';
COMMENT ON COLUMN nexus.requests.finished_at IS 'When it ended and its result was published.';
COMMENT ON COLUMN nexus.requests.agent_id IS 'The request''s agent_id.';
COMMENT ON COLUMN nexus.requests.complexity IS 'The complexity it was routed by.';
COMMENT ON COLUMN nexus.requests.task_type IS 'The request''s task type.';
COMMENT ON COLUMN nexus.requests.provider IS 'The provider that answered, or failed last.';
COMMENT ON COLUMN nexus.requests.model IS 'The model that answered, or failed last.';
COMMENT ON COLUMN nexus.requests.prompt_tokens IS 'Tokens in.';
COMMENT ON COLUMN nexus.requests.completion_tokens IS 'Tokens out.';
COMMENT ON COLUMN nexus.requests.cost IS 'US dollars; null where the price is unknown.';
COMMENT ON COLUMN nexus.requests.latency_ms IS 'Milliseconds, as the result says.';
COMMENT ON COLUMN nexus.requests.error_type IS 'The error of a failed request.';
COMMENT ON COLUMN nexus.requests.steps IS 'The steps of the workflow, in order; see the view nexus.steps.';

CREATE INDEX requests_waiting ON nexus.requests (queue, lane, msg_id) WHERE state = 'waiting';
CREATE INDEX requests_expiring ON nexus.requests (deadline) WHERE state = 'waiting' AND deadline IS NOT NULL;
CREATE INDEX requests_leased ON nexus.requests (owner, msg_id) WHERE state = 'leased';

CREATE TABLE nexus.attempts (
    request_id  text NOT NULL REFERENCES nexus.requests ON DELETE CASCADE,
    number      integer NOT NULL,
    provider    text,
    model       text,
    outcome     text NOT NULL,
    status_code integer,
    duration_ms bigint,
    cost        numeric,
    error       text,
    maybe_paid  boolean NOT NULL DEFAULT false,
    owner       text NOT NULL,
    started_at  timestamptz NOT NULL,
    PRIMARY KEY (request_id, number)
);

COMMENT ON TABLE nexus.attempts IS 'One row per call to a provider.';
COMMENT ON COLUMN nexus.attempts.request_id IS 'The request it was made for.';
COMMENT ON COLUMN nexus.attempts.number IS '1 for the request''s first attempt.';
COMMENT ON COLUMN nexus.attempts.provider IS 'The provider called; null where the attempt was interrupted.';
COMMENT ON COLUMN nexus.attempts.model IS 'The model asked for; null where the attempt was interrupted.';
COMMENT ON COLUMN nexus.attempts.outcome IS
    'ok, or the error''s name; interrupted where the lease ended without a word from its owner.';
COMMENT ON COLUMN nexus.attempts.status_code IS 'The HTTP status, where there was one.';
COMMENT ON COLUMN nexus.attempts.duration_ms IS 'Milliseconds until the outcome.';
COMMENT ON COLUMN nexus.attempts.cost IS 'US dollars; null where unknown.';
COMMENT ON COLUMN nexus.attempts.error IS 'The error''s message.';
COMMENT ON COLUMN nexus.attempts.maybe_paid IS
    'No answer arrived, yet the provider may have done the work.';
COMMENT ON COLUMN nexus.attempts.owner IS 'The service instance that made it.';
COMMENT ON COLUMN nexus.attempts.started_at IS 'When the call began; for an interrupted one, when its lease began.';

CREATE VIEW nexus.steps AS
SELECT r.request_id,
       s.number,
       s.step ->> 'name' AS name,
       s.step ->> 'outcome' AS outcome,
       (s.step ->> 'at')::timestamptz AS at,
       s.step -> 'detail' AS detail
FROM nexus.requests AS r
CROSS JOIN LATERAL jsonb_array_elements(r.steps) WITH ORDINALITY AS s (step, number);

COMMENT ON VIEW nexus.steps IS 'The steps of each ended request, one row each.';

-- Wakes whoever listens to a queue. It carries no payload, so a statement that inserts a thousand messages
-- notifies once, and nothing of a prompt leaves the queue's table.
CREATE FUNCTION nexus.notify_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END;
$$;

COMMENT ON FUNCTION nexus.notify_insert() IS 'Statement-level trigger of the queues: notifies the channel it is given.';
