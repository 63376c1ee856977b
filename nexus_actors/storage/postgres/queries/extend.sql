-- Keep the messages of instance $1's leases ($2, $3) (msg_id, read_ct) invisible for another $4 seconds.
--
-- The journal row is the fence, since a lease that was given back keeps its read_ct in the queue. Every row is looked
-- up by key, as in finish.sql. Locks: queue rows in order of msg_id, then journal rows in order of request_id.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::integer[]) AS a (msg_id, read_ct)
),
queued AS MATERIALIZED (
    SELECT q.msg_id
    FROM pgmq.q_{requests} AS q
    WHERE q.msg_id = ANY ($2)
    ORDER BY q.msg_id
    FOR UPDATE OF q
),
named AS MATERIALIZED (
    SELECT r.request_id
    FROM nexus.requests AS r
    WHERE r.owner = $1 AND r.state = 'leased' AND r.queue = '{requests}' AND r.msg_id = ANY ($2)
),
-- Under any lease of ours: a concurrent statement of this instance may just have leased the request again.
owned AS MATERIALIZED (
    SELECT r.request_id, r.msg_id, r.read_ct, r.received_at
    FROM nexus.requests AS r
    WHERE (SELECT count(*) FROM queued) >= 0
          AND r.request_id = ANY (ARRAY(SELECT request_id FROM named))
          AND r.queue = '{requests}' AND (r.owner, r.state) IS NOT DISTINCT FROM ($1, 'leased')
    ORDER BY r.request_id
    FOR SHARE OF r
),
held AS MATERIALIZED (
    SELECT o.msg_id, o.received_at
    FROM owned AS o
    JOIN asked AS a ON a.msg_id = o.msg_id AND a.read_ct = o.read_ct
),
extended AS (
    UPDATE pgmq.q_{requests} AS q
    SET vt = clock_timestamp() + make_interval(secs => $4)
    FROM held AS h
    WHERE q.msg_id = h.msg_id AND q.msg_id = ANY ($2) AND {same_h}
)
-- If an operator has purged the message, this instance still has to end the request.
SELECT request_id, msg_id, read_ct FROM owned
