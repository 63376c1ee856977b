"""What jsonb refuses is refused before it is sent, by line and field."""

import json
from typing import Any

import pytest

from nexus_actors.cli.enqueue import _check
from nexus_actors.contract.bounds import Bounds

GOOD = {"request_id": "r", "complexity": "simple", "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("odd", "path"),
    [
        ({"messages": [{"role": "user", "content": "a\0"}]}, "messages[0].content: "),
        ({"messages": [{"role": "user", "content": "a\udc00 b"}]}, "messages[0].content: "),
        ({"metadata": {"a": "\ud800"}}, "metadata.a: "),
        ({"metadata": {"\0": "a"}}, "metadata: "),
        ({"\ud83d": 1}, ""),
        ({"request_id": "\0"}, "request_id: "),
        ({"request_id": None, "unknown": [[{"a": "\0"}]]}, "unknown[0][0].a: "),
    ],
)
def test_texts_that_jsonb_refuses(odd: dict[str, Any], path: str) -> None:
    good, mistakes = _check(7, [json.dumps({**GOOD, **odd}).encode()], Bounds())
    told = "expected text without NUL and halves of surrogate pairs"
    assert (good, mistakes) == ([], [(7, f"invalid_request: {path}{told}")])


NO_JSON = "invalid_request: not JSON from character"


def test_json_that_jsonb_refuses() -> None:
    line = json.dumps(GOOD).encode().replace(b'"x"', b'"\t"')
    assert _check(7, [line], Bounds())[1] == [(7, f"{NO_JSON} 86 on")]


def test_a_line_that_ends_in_the_middle_of_a_request_is_told_what_a_line_is() -> None:
    assert _check(1, [b"{"], Bounds())[1] == [
        (1, f"{NO_JSON} 1 on: a line holds one whole request")
    ]
    assert _check(1, [b"1 2"], Bounds())[1] == [(1, f"{NO_JSON} 2 on")]


def test_what_jsonb_takes_is_sent() -> None:
    emoji = {"messages": [{"role": "user", "content": "\U0001f600 \\u0000"}]}
    good, mistakes = _check(1, [json.dumps({**GOOD, **emoji}).encode()], Bounds())
    assert (len(good), mistakes) == (1, [])
