"""Lines of requests, checked before they are sent."""

import io
import json

import pytest

from nexus_actors.cli import enqueue
from nexus_actors.cli.enqueue import MOST_NAMES, Dropped, _check, _read_lines
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


@pytest.mark.parametrize("chunk", [1, 3, 8, 100])
async def test_a_line_that_is_too_long_is_one_line_and_is_not_kept_whole(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueue, "CHUNK", chunk)
    monkeypatch.setattr(enqueue, "LONGEST_LINE", 20)
    lines = [b"a", b"", b"b" * 20, b"c" * 500, b"d", b"e" * 21, b"f"]
    read: dict[int, bytes] = {}
    async for first, some, _ in _read_lines(io.BytesIO(b"\n".join(lines))):
        read.update(enumerate(some, first))
    assert len(read) == len(lines)
    for number, line in enumerate(lines, 1):
        assert line.startswith(read[number])
        assert read[number] == line or 20 < len(read[number]) <= 20 + 2 * chunk
    _, mistakes = _check(1, [read[4], read[6]], Bounds())
    assert [reason for _, reason in mistakes] == ["invalid_request: longer than 0 MB"] * 2
