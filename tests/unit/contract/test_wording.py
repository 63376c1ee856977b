"""A refusal names its field, once, in our words, wherever it is told."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from nexus_actors.contract.bounds import Bounds
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.encode import decode_result, encode_result
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.result import Failure, LLMResult
from nexus_actors.contract.wire import WireRequest
from nexus_actors.contract.wording import expected, with_path
from nexus_actors.storage.job_results import job_result
from nexus_actors.storage.requests import Lease

USER = {"role": "user", "content": "hello"}
SMALL = Bounds(max_values=200, max_parts=5, max_tools=2)
FOREIGN = re.compile(
    r"Input should|valid|Field|alue error|dictionary|instance|string|\bint\b|delimiter|'(?!s )",
    re.I,
)
"""What a library says, and we do not."""


def body(**changes: Any) -> str:
    fields = {"request_id": "r", "complexity": "simple", "messages": [USER], **changes}
    return json.dumps({key: value for key, value in fields.items() if value is not ...})


def refuse(text: str) -> Refusal:
    refusal = decode_request(text, SMALL)
    assert isinstance(refusal, Refusal)
    return refusal


def said(**message: Any) -> str:
    return body(messages=[{**USER, **message}])


REFUSED: dict[str, tuple[str, str]] = {
    "several missing": (body(request_id="r", complexity=..., messages=...), "complexity, messages"),
    "no conversation": (body(messages=...), "messages"),
    "no messages": (body(messages=[]), "messages"),
    "no input": (body(messages=..., input=""), "input"),
    "complexity": (body(complexity="hard"), "complexity"),
    "api_version": (body(api_version="v9"), "api_version"),
    "a field of the wire": (body(max_tokens="many"), "max_tokens"),
    "a field within one": (body(reasoning={"effort": "hard"}), "reasoning.effort"),
    "an item": (body(capabilities=["a", 7]), "capabilities[1]"),
    "absent within": (body(mcp_servers=[{"server_label": "l"}]), "mcp_servers[0].server_url"),
    "our own check": (body(tool_choice=7), "tool_choice"),
    "our own check within": (body(text={"format": {"type": "json_schema"}}), "text.format"),
    "of another API": (body(background=True), "background"),
    "a tool": (body(tools=[{}]), "tools[0]"),
    "a function": (body(functions=[{}]), "functions[0].name"),
    "a role": (said(role="bot"), "messages[0].role"),
    "content": (said(content=None), "messages[0].content"),
    "a part": (said(content=[{}]), "messages[0].content[0].type"),
    "a call": (said(tool_calls=[7]), "messages[0].tool_calls[0]"),
    "a state": (said(provider_state={}), "messages[0].provider_state"),
    "an item of an input": (body(messages=..., input=[7]), "input[0]"),
    "a block of the system": (body(system=[7]), "system[0]"),
    "too many parts": (body(messages=[USER] * 6), "messages"),
    "too many tools": (body(tools=[{"type": "web_search"}] * 3), "tools"),
    "a number out of range": (body(seed=0)[:-2] + "1e999}", "seed"),
    "too deep": (body(a=json.loads("[" * 101 + "]" * 101)), "a[0]"),
    "a name that steers": (body(tools=[{"\x1b[2J\n": 0}])[:-4] + "1e999}]}", r"tools[0].\x1b[2J\n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_its_field_in_the_result_and_in_job_results(name: str) -> None:
    text, path = REFUSED[name]
    refusal = refuse(text)
    assert refusal.path is None or refusal.path.startswith(path)
    told = path if refusal.path is None else refusal.path
    failure = Failure(
        type=refusal.type, message=refusal.message, path=refusal.path, retryable=False
    )
    result = LLMResult(
        request_id="r",
        agent_id=None,
        complexity=None,
        task_type=None,
        outcome=failure,
        latency_ms=1,
        attempts=0,
        timestamp=datetime.now(UTC),
    )
    published = encode_result(result)
    assert told in json.loads(published)["error"]["message"]
    assert json.loads(published)["error"].get("path") == refusal.path
    read = decode_result(published)
    assert isinstance(read, LLMResult)
    assert read.outcome == failure
    stored = job_result(read, Lease(msg_id=1, read_ct=1)).error
    assert stored is not None
    assert stored.startswith(f"{refusal.type}: ")
    said = stored.removeprefix(f"{refusal.type}: ")
    assert told in said
    assert refusal.path is None or said.count(f"{told}: ") == 1
    assert not FOREIGN.search(said)


def test_the_path_is_told_of_an_error_that_has_it_beside_its_message() -> None:
    assert with_path("tools[0]", "expected text") == "tools[0]: expected text"
    assert with_path("tools[0]", "tools[0]: expected text") == "tools[0]: expected text"
    assert with_path("tools", "tools[0]: expected text") == "tools: tools[0]: expected text"
    assert with_path(None, "expected text") == "expected text"


WRONG: list[Any] = [
    *(None, True, -7, 0, 1.5, 1e300, 2**80, "", "x" * 9000, [], [None], [""], ["x"] * 99),
    *({}, {"type": ""}, {"type": "x" * 99}, {"type": "json_schema"}, {"effort": 1}, {"format": 2}),
    *({"verbosity": "x"}, {"type": "x", "budget_tokens": 0}, [{}], [{"server_label": 1}]),
]


def test_no_fault_is_told_in_the_words_of_a_library() -> None:
    told: set[str] = set()
    for field in WireRequest.model_fields:
        for value in WRONG:
            refusal = decode_request(body(**{field: value}))
            if isinstance(refusal, Refusal) and value is not None:
                told.add(refusal.message)
                assert refusal.message.startswith(f"{refusal.path}: expected "), refusal
                assert "another value" not in refusal.message, refusal
    assert len(told) > 100
    assert [it for it in told if FOREIGN.search(it.partition(": ")[2])] == []


def test_a_fault_that_pydantic_may_come_to_know_is_reported_in_our_words() -> None:
    fault: Any = {"type": "new_in_some_release", "msg": "Input should be nicer", "loc": ()}
    assert expected(fault) == "another value"


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "{'a': 1}", "[1,]", '{"a" 1}', "nope"])
def test_what_is_no_json_is_reported_by_its_place_alone(text: str) -> None:
    assert re.fullmatch(r"not JSON from character \d+ on", refuse(text).message)
