"""Lines of requests, checked before they are sent."""

import io
import json

import pytest

from nexus_actors.cli import enqueue
from nexus_actors.cli.enqueue import MOST_NAMES, Done, Dropped, _check, _read_lines
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


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (0, "7 sent to q"),
        (1, "7 sent to q, 1 invalid line skipped"),
        (2, "7 sent to q, 2 invalid lines skipped"),
    ],
)
def test_how_many_lines_were_skipped_is_told(bad: int, told: str) -> None:
    assert Done(sent=7, bad=bad).told("q") == told


def test_names_that_nobody_is_sent_are_told_once_and_not_without_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = [{"max_token": 1, "\x1b[2J" + "n" * 99: 2, f"name{number}": 3} for number in range(50)]
    good, _ = _check(1, [json.dumps({**GOOD, **it}).encode() for it in odd], Bounds())
    dropped = Dropped()
    for line in good:
        dropped.add(line.dropped)
    dropped.tell()
    told, close = capsys.readouterr().err.splitlines()
    assert told.startswith("dropped: max_token (in 50), \ufffd[2Jnnn")
    assert close == "max_token: did you mean max_tokens?"
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


LETTER = r"\u0041"
TOO_LARGE = "is more than the 1 MB allowed ([queue] message_megabytes)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"temperature": 1e300', ["temperature: a number out of range"]),
        ('"seed": -1E+400', ["seed: a number out of range"]),
        ('"top_p": 1e-450', ["top_p: a number out of range"]),
        ('"top_p": NaN', ["top_p: expected a number, found NaN, which JSON does not have"]),
        (
            '"metadata": {"a": [-Infinity]}',
            ["metadata.a[0]: expected a number, found -Infinity, which JSON does not have"],
        ),
        (
            '"temperature": "hot", "complexity": "hard", "request_id": 7, "seed": NaN, "stop": 5,'
            ' "tools": [{}], "tool_choice": {"type": "function", "name": "f"}',
            ["seed: ", "complexity: ", "request_id: ", "temperature: ", "stop: ", "tools[0]"],
        ),
        (
            '"messages": [{"role": "bot", "content": "x"}, {"role": "user", "content": 7}]',
            ["messages[0].role: ", "messages[1].content: "],
        ),
        (
            '"messages": null, "mesages": []',
            ["missing_input", "mesages is no field: did you mean messages?"],
        ),
        (f'"a": "{"x" * 1_048_600}"', [TOO_LARGE]),
        (f'"a": [{"1e1000," * 999}{"1e99," * 999}0]', [TOO_LARGE]),
        (f'"a": [{"1," * 400_000}0]', [TOO_LARGE]),
        (f'"a": [{"1, " * 100}0], "b": "{"é" * 530_000}"', [TOO_LARGE]),
    ],
)
def test_what_the_service_would_refuse_is_refused_before_and_all_of_it(
    text: str, told: list[str]
) -> None:
    line = f"{json.dumps(GOOD)[:-1]}, {text}}}".encode()
    good, mistakes = _check(3, [line], Bounds(max_values=10**6), 1)
    assert good == []
    ((number, reason),) = mistakes
    assert number == 3
    for one in told:
        assert one in reason
    faults = reason.split("; ")
    assert len(faults) == len(set(faults)) == len(told)


@pytest.mark.parametrize(
    "text",
    [
        '"temperature": 1e0, "max_tokens": 1e3, "top_p": 1e-2, "a": "1e999 \\" 1e999"',
        f'"a": "{"x" * 1_048_300}"',
        f'"a": [{"1e299," * 99}0], "b": "{LETTER * 700_000}"',
    ],
)
def test_what_the_service_would_take_is_sent_as_it_is(text: str) -> None:
    line = f"{json.dumps(GOOD)[:-1]}, {text}}}".encode()
    good, mistakes = _check(3, [line], Bounds(), 1)
    assert mistakes == []
    assert good[0].text == line.decode()
