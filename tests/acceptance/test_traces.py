"""Traces, as far as commands know of them."""

import json

from tests.acceptance.nexus import Inside, Nexus, one_line, query, value

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWN = TRACE.replace("0af7", "cccc")
JOURNAL = """
INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at,
    traceparent)
VALUES ('r', 'ai_requests', 77, 1, 'another', 'leased', '', 1, now(), now(), $1)
"""


def test_a_trace_is_sent_along_and_found_again(
    nexus: Nexus, inside: Inside, database_url: str
) -> None:
    nexus.configure(url=database_url)
    line = {"complexity": "simple", "input": "x"}
    lines = "\n".join(json.dumps(it) for it in (line, line | {"traceparent": OWN}))
    assert inside.run("enqueue", "-", "--traceparent", TRACE, stdin=lines).returncode == 0
    assert inside.run("enqueue", "-", stdin=lines).returncode == 0
    headers = "SELECT array_agg(headers ->> 'traceparent' ORDER BY msg_id) FROM pgmq.q_ai_requests"
    assert value(database_url, headers) == [TRACE, None, None, None]
    wrong = inside.run("enqueue", "-", "--traceparent", TRACE.upper(), stdin=lines)
    assert "--traceparent: expected a W3C traceparent" in one_line(wrong, 2)

    query(database_url, JOURNAL, TRACE)
    shown = " ".join(inside.run("explain", "r").stdout.split())
    assert f"trace_id {TRACE[3:35]} " in shown
    assert inside.json("explain", "r")["request"]["trace_id"] == TRACE[3:35]
    query(database_url, "UPDATE nexus.requests SET traceparent = NULL")
    assert "trace_id" not in inside.run("explain", "r").stdout
