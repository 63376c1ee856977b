-- How long the queue of requests was: the sums say what ended, and nothing of what waits.
-- Works with programs that know 0025.

CREATE TABLE nexus.backlog (
    queue       text NOT NULL,
    span        text NOT NULL CHECK (span IN ('minute', 'hour')),
    at          timestamptz NOT NULL,
    messages    bigint NOT NULL,
    due_seconds double precision NOT NULL,
    PRIMARY KEY (queue, span, at)
) WITH (fillfactor = 50);

COMMENT ON TABLE nexus.backlog IS
    'How long a queue was: the most that the leader of the chore sum saw in each minute and hour; it looks every 20 seconds. No row: nobody looked.';
COMMENT ON COLUMN nexus.backlog.queue IS 'The queue.';
COMMENT ON COLUMN nexus.backlog.span IS 'minute (kept for three hours) or hour (UTC; kept for [retention] sums_days).';
COMMENT ON COLUMN nexus.backlog.at IS 'When the span begins.';
COMMENT ON COLUMN nexus.backlog.messages IS
    'Messages in the queue: due, waiting, or in work. Counted up to 100,000; beyond that PostgreSQL''s estimate.';
COMMENT ON COLUMN nexus.backlog.due_seconds IS 'For how many seconds the oldest message that could be leased had been due; 0: there was none.';
