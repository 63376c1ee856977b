"""Every bad message, sent with plain SQL to a running `nexus start`: each ends as one dead letter
that says what is wrong and where, none harms the service, and the log stays text.
"""

import json
import random
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.contract.errors import EXCERPT_LIMIT
from nexus_actors.operations import control
from tests.acceptance.nexus import Nexus, query, value, wait_for
from tests.postgres import TEMPLATE, new_database
from tests.service import request
from tests.zygote import Zygote

CONFIG = "[queue]\nmessage_megabytes = 1\npoll_interval = 0.1\n[result_poller]\nenabled = false"
HOSTILE = (
    "../../etc/passwd\n'; DROP TABLE nexus.requests; --%s{0}\x1b]0;owned\x07\x1b[2J\r\x9b\u202e"
)
"""A path, SQL, format strings, and what a terminal would obey."""
USER = {"role": "user", "content": "hello"}
SHOUT = "x" * 100_000
NOISE = random.Random(7).randbytes(1_200_000).hex()  # noqa: S311 - no secret


@dataclass(frozen=True)
class Bad:
    """A message, and what becomes of it."""

    text: Callable[[str], str | None]
    """JSON text, given the request's id; None is SQL NULL."""
    reason: str = "invalid_request"
    path: str | None = None
    has_result: bool = True


def fields(path: str | None = None, reason: str = "invalid_request", **changes: Any) -> Bad:
    """A good request but for these fields; `...` takes one away."""

    def text(request_id: str) -> str:
        body = {**request(0, request_id=request_id), **changes}
        return json.dumps({name: item for name, item in body.items() if item is not ...})

    found = body_id if isinstance(body_id := changes.get("request_id", "given"), str) else ""
    return Bad(text, reason, path, has_result=0 < len(found) <= 255)


def raw(more: str, path: str | None = None, reason: str = "invalid_request") -> Bad:
    """A good request with this JSON text added."""
    text = json.dumps(request(0, request_id="{}"))[:-1]
    return Bad(lambda name: f"{text.replace('{}', name)}, {more}}}", reason, path)


def alone(text: str | None) -> Bad:
    """What has no request_id that could be read."""
    return Bad(lambda _: text, has_result=False)


def field(name: str, *values: Any, path: str | None = None) -> dict[str, Bad]:
    """One wrong field, with each of these values."""
    return {f"{name} is {json.dumps(it)[:30]}": fields(path or name, **{name: it}) for it in values}


BAD: dict[str, Bad] = {
    "SQL NULL": alone(None),
    "JSON null": alone("null"),
    "an array": alone("[1, 2]"),
    "a text": alone('"hello"'),
    "a number": alone("7"),
    "a boolean": alone("true"),
    "a huge number": alone("1e131000"),
    "an empty object": Bad(lambda _: "{}", "missing_fields", has_result=False),
    "wrapped nothing": Bad(lambda _: '{"request": {}}', "missing_fields", has_result=False),
    "no request_id": fields(None, "missing_fields", request_id=...),
    "null request_id": fields(None, "missing_fields", request_id=None),
    "request_id is a number": fields("request_id", request_id=7),
    "request_id is an object": fields("request_id", request_id={"a": 1}),
    "request_id is empty": fields("request_id", request_id=""),
    "request_id is too long": fields("request_id", request_id="x" * 256),
    "no complexity": fields(None, "missing_fields", complexity=...),
    "no messages": fields(None, "missing_input", messages=...),
    "empty messages": fields("messages", "empty_messages", messages=[]),
    "empty input": fields("input", "missing_input", messages=..., input=""),
    "unknown complexity": fields("complexity", "invalid_complexity", complexity="enormous"),
    "complexity is a list": fields("complexity", "invalid_complexity", complexity=["simple"]),
    "unknown api_version": fields("api_version", "unsupported_api_version", api_version="v9"),
    "unknown effort": fields("reasoning_effort", reasoning_effort="huge"),
    **field("agent_id", 7, {}, []),
    **field("task_type", 7, ["coder"]),
    **field("messages", 7, "hello", {}),
    **field("messages", [7], [None], path="messages[0]"),
    **field("messages", [{**USER, "role": "king"}], [{**USER, "role": 7}], path="messages[0].role"),
    **field("messages", [{"role": "user"}], [{**USER, "content": 7}], path="messages[0].content"),
    **field("model", 7, []),
    **field("provider", 7, {}),
    **field("max_tokens", 0, -1, 2**31, 1.5, "many", True, 10**200),
    **field("temperature", -1, "warm", True),
    **field("stream", "yes", 1),
    **field("capabilities", 7, {}),
    **field("previous_response_id", 7, ""),
    **field("mcp_servers", 7, {}),
    **field("store", "yes"),
    **field("tools", 7, {}),
    **field("tool_choice", 7, "perhaps"),
    **field("parallel_tool_calls", 1),
    **field("response_format", 7, "json"),
    **field("text", 7),
    **field("reasoning", "much"),
    **field("top_p", 2, -0.5, "all"),
    **field("stop", 7, ["x"] * 17),
    **field("seed", 2**63, 0.5, "x"),
    **field("instructions", 7, []),
    **field("timeout", 0, -1, "soon", 1e300, 10**12),
    "10,000 levels, a list": alone("[" * 10_000 + "]" * 10_000),
    "10,000 levels, an object": alone('{"a":' * 10_000 + "1" + "}" * 10_000),
    # What Python cannot nest is not read at all; SQL reads the id, hence the result.
    "10,000 levels in a field": raw(f'"deep": {"[" * 10_000}{"]" * 10_000}'),
    "150 levels in a field": raw(f'"deep": {"[" * 150}{"]" * 150}', path="deep" + "[0]" * 100),
    "1e400": raw('"n": 1e400', path="n"),
    "1e400 in a field": raw('"max_tokens": 1e400', path="max_tokens"),
    "-1e131000": raw('"n": [{"m": -1e131000}]', path="n[0].m"),
    "10^1000": raw('"n": 1' + "0" * 1000, path="n"),
    "a key that stands twice: the last counts": raw(
        '"complexity": 7', "complexity", "invalid_complexity"
    ),
    "a path with terminal escapes": raw(f'"tools": [{{{json.dumps(HOSTILE)}: 1e400}}]'),
    "too large": fields(None, messages=[{**USER, "content": "x" * 5_000_000}]),
    "too large, incompressible": fields(None, messages=[{**USER, "content": NOISE}]),
    "hostile request_id": fields("messages", "empty_messages", messages=[], request_id=HOSTILE),
    "hostile agent_id": fields("messages", "empty_messages", messages=[], agent_id=HOSTILE),
    "long agent_id": fields("messages", "empty_messages", messages=[], agent_id=SHOUT),
    "hostile task_type": fields("messages", "empty_messages", messages=[], task_type=HOSTILE),
    "hostile complexity": fields("complexity", "invalid_complexity", complexity=HOSTILE),
    "hostile api_version": fields("api_version", "unsupported_api_version", api_version=HOSTILE),
    "hostile model": fields(None, "model_unavailable", model=HOSTILE),
    "long model": fields(None, "model_unavailable", model=SHOUT),
    "hostile role": fields("messages[0].role", messages=[{**USER, "role": HOSTILE}]),
}  # fmt: skip

ODD: dict[str, Bad] = {
    "request_id": fields(request_id=HOSTILE + "!"),
    "agent_id": fields(agent_id=HOSTILE + SHOUT),
    "task_type": fields(task_type=HOSTILE + SHOUT),
    "provider": fields(provider=HOSTILE + SHOUT),  # only a preference
    "content": fields(messages=[{**USER, "content": HOSTILE}]),
}
"""Hostile text where any text is allowed: answered."""


@dataclass(frozen=True)
class Outcome:
    """What one bad message, and the good one sent after it, have come to."""

    request_id: str
    letters: list[dict[str, Any]]
    results: list[dict[str, Any]]
    good: list[dict[str, Any]]


@dataclass(frozen=True)
class Run:
    outcomes: dict[str, Outcome]
    restarts: dict[str, int]
    log: str


@pytest.fixture(scope="module")
def ran(postgres_server: str, worker_id: str, zygote: Zygote) -> Iterator[Run]:
    """One service that is sent everything, each bad message with a good one after it."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-bad-"))
    nexus = Nexus(folder, uuid.uuid4().hex, zygote)
    try:
        with new_database(postgres_server, worker_id, TEMPLATE) as url:
            nexus.configure(CONFIG, url=url, log_level="debug")
            service = nexus.start()
            service.wait_ready()
            sent = {**BAD, **ODD}
            outcomes = {name: _outcome(url, f"bad: {name}", bad) for name, bad in sent.items()}
            answer = trio.run(control.ask, nexus.data_dir, "tree")
            assert isinstance(answer, dict)
            restarts = dict(_restarts(answer))
            service.process.terminate()
            assert service.wait() == 0
            yield Run(outcomes, restarts, service.log)
    finally:
        nexus.end()
        nexus.kill_left_over()
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(url: str, request_id: str, bad: Bad) -> Outcome:
    text = bad.text(request_id)
    number = value(url, "SELECT pgmq.send('ai_requests', $1::text::jsonb)", text)
    good = request(f"after {request_id}")
    value(url, "SELECT pgmq.send('ai_requests', $1::text::jsonb)", json.dumps(good))
    wait_for(lambda: value(url, "SELECT count(*) = 0 FROM pgmq.q_ai_requests"), request_id)
    told = "SELECT (message - 'request')::text AS text FROM pgmq.q_ai_requests_dead"
    letters = query(url, f"{told} WHERE (message ->> 'msg_id')::bigint = $1", number)
    results = [
        json.loads(row["text"])
        for row in query(url, "DELETE FROM pgmq.q_ai_results RETURNING message::text AS text")
    ]
    return Outcome(
        request_id,
        [json.loads(row["text"]) for row in letters],
        [it for it in results if it["request_id"] != good["request_id"]],
        [it for it in results if it["request_id"] == good["request_id"]],
    )


def _restarts(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    yield node["name"], node["restarts"]
    for child in node["children"]:
        yield from _restarts(child)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_one_dead_letter_and_the_next_one_is_answered(name: str, ran: Run) -> None:
    bad, outcome = BAD[name], ran.outcomes[name]
    (letter,) = outcome.letters
    detail = letter["detail"]
    assert (letter["reason"], detail["type"]) == (bad.reason, bad.reason)
    assert 0 < len(detail["message"]) <= 500
    if bad.path is not None:
        assert detail["path"][:199] == bad.path[:199]
    if bad.reason != "model_unavailable":  # a good request, but not here
        assert 0 < len(detail["excerpt"]) <= EXCERPT_LIMIT
    assert [it["error"]["type"] for it in outcome.results] == [bad.reason] * bad.has_result
    path = detail.get("path")
    for error in (it["error"] for it in outcome.results):
        assert error["message"].startswith(f"{path}: " if path else "")
        assert error.get("path") == path
    assert [it["status"] for it in outcome.good] == ["ok"]


@pytest.mark.parametrize("name", ODD)
def test_hostile_text_where_any_is_allowed_is_only_text(name: str, ran: Run) -> None:
    outcome = ran.outcomes[name]
    assert outcome.letters == []
    assert [it["status"] for it in outcome.results + outcome.good] == ["ok", "ok"]
    sent = json.loads(ODD[name].text(outcome.request_id) or "")
    (result,) = outcome.results
    assert (result["request_id"], result["agent_id"]) == (sent["request_id"], sent["agent_id"])


def test_no_actor_crashed(ran: Run) -> None:
    assert len(ran.restarts) > 5
    assert set(ran.restarts.values()) == {0}


def test_no_line_of_the_log_carries_what_a_terminal_would_obey(ran: Run) -> None:
    assert ran.log
    assert re.findall(r"[^\n\x20-\x7e\u2026]", ran.log) == []
    assert "Traceback" not in ran.log


@pytest.mark.parametrize("text", [r'{"a": "\u0000"}', r'{"a": "\ud800"}', '{"a": NaN}', '{"a": 1'])
def test_what_jsonb_refuses_never_enters_the_queue(text: str, database_url: str) -> None:
    import asyncpg

    with pytest.raises(asyncpg.DataError):
        query(database_url, "SELECT pgmq.send('ai_requests', $1::text::jsonb)", text)
    assert value(database_url, "SELECT count(*) FROM pgmq.q_ai_requests") == 0
