"""Lines of requests, checked before they are sent."""

import json

import pytest

from nexus_actors.cli.enqueue import MOST_NAMES, Dropped, _check
from nexus_actors.contract.bounds import Bounds

GOOD = {"request_id": "r", "complexity": "simple", "messages": [{"role": "user", "content": "x"}]}


def test_the_configs_bounds_count() -> None:
    line = json.dumps({**GOOD, "tools": [{"type": "a"}] * 3}).encode()
    good, mistakes = _check(1, [line], Bounds(max_tools=3))
    assert (len(good), mistakes) == (1, [])
    good, mistakes = _check(4, [line], Bounds(max_tools=2))
    assert good == []
    assert [number for number, _ in mistakes] == [4]
    assert "at most 2 tools ([requests] max_tools), found 3" in mistakes[0][1]


def test_names_that_nobody_is_sent_are_told_once_and_not_without_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = [{"max_token": 1, "\x1b[2J" + "n" * 99: 2, f"name{number}": 3} for number in range(50)]
    good, _ = _check(1, [json.dumps({**GOOD, **it}).encode() for it in odd], Bounds())
    dropped = Dropped()
    for line in good:
        dropped.add(line.dropped)
    dropped.tell()
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("dropped: max_token (in 50), \ufffd[2Jnnn")
    assert told.endswith("name17 (in 1), …")
    assert told.count(" (in ") == MOST_NAMES
    assert len(told) < MOST_NAMES * 80
    Dropped().tell()
    assert capsys.readouterr().err == ""
