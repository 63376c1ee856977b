"""Which trace a request belongs to: strictly read, whatever is sent."""

import json
from typing import Any

import pytest

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.trace import TraceParent, parse_traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FIELDS = {
    "request_id": "r",
    "complexity": "simple",
    "messages": [{"role": "user", "content": "x"}],
}
HOSTILE = [
    7,
    [TRACE],
    {"traceparent": TRACE},
    "",
    TRACE.upper(),
    TRACE + "\n",
    TRACE + "-more",
    " " + TRACE,
    "01" + TRACE[2:],
    "ff" + TRACE[2:],
    TRACE[:-1],
    TRACE[:-2] + "0x",
    "00-" + "0" * 32 + TRACE[35:],
    TRACE[:36] + "0" * 16 + TRACE[-3:],
    TRACE.replace("a", "\u0430"),
    TRACE.replace("0", "\uff10"),
    "0" * 1_000_000,
]


@pytest.mark.parametrize("flags", ["00", "01", "03", "fe", "ff"])
def test_a_valid_one_is_read_and_written_as_it_was(flags: str) -> None:
    parsed = parse_traceparent(TRACE[:-2] + flags)
    assert parsed == TraceParent(TRACE[3:35], TRACE[36:52], int(flags, 16))
    assert str(parsed) == TRACE[:-2] + flags
    assert parsed.is_sampled is (flags in ("01", "03", "ff"))


def test_what_is_none_is_none_whatever_it_is() -> None:
    wrong = [
        (value, found)
        for value in [None, *HOSTILE]
        if (found := parse_traceparent(value)) is not None
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def decoded(message: Any) -> LLMRequest:
    found = decode_request(json.dumps(message))
    assert isinstance(found, LLMRequest), found
    return found


@pytest.mark.parametrize(
    "message",
    [
        {**FIELDS, "traceparent": TRACE},
        {**FIELDS, "traceparent": TRACE, "tools": []},
        {"request": {**FIELDS, "traceparent": TRACE}},
        {"request": FIELDS, "traceparent": TRACE},
        {"request": {**FIELDS, "traceparent": TRACE}, "traceparent": TRACE.replace("b", "c")},
    ],
    ids=["bare", "unusual", "wrapped", "beside", "inner first"],
)
def test_a_request_may_have_it_as_a_field(message: Any) -> None:
    request = decoded(message)
    assert request.traceparent == TRACE
    assert request.unknown == ()


def test_one_that_is_not_valid_does_nothing_and_is_reported() -> None:
    expected = (None, ("traceparent: expected a W3C traceparent of version 00",))
    wrong = []
    for value in HOSTILE:
        for fields in (FIELDS, {"request": FIELDS}):
            request = decoded({**fields, "traceparent": value})
            found = (request.traceparent, request.unknown)
            if found != expected:
                wrong.append((value, fields, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(("value", "expected"), [(TRACE, TRACE), (["x"], None)])
def test_a_refused_request_belongs_to_its_trace_too(value: object, expected: str | None) -> None:
    refused = decode_request(json.dumps({"request_id": "r", "traceparent": value}))
    assert isinstance(refused, Refusal)
    assert refused.traceparent == expected
