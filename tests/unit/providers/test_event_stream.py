"""Server-sent events, however the bytes are cut."""

import json
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.providers.http.event_stream import EventStream, begins_stream

_DATA = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12)
_EVENTS = st.lists(st.lists(_DATA, min_size=1, max_size=3), max_size=5)
_ENDS = st.sampled_from(["\n", "\r", "\r\n"])


def fed(*pieces: bytes) -> list[str]:
    stream = EventStream()
    return [data for piece in pieces for data in stream.feed(piece)]


def cut(body: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:end] for start, end in pairwise(marks)]


@given(_EVENTS, st.lists(_ENDS, min_size=1), st.lists(st.integers(min_value=0), max_size=20))
def test_cuts_and_line_ends_make_no_difference(
    events: list[list[str]], ends: list[str], places: list[int]
) -> None:
    lines = [line for event in events for line in (*(f"data: {it}" for it in event), "")]
    # Mixed at will, but never so that a CR and the LF of the next, empty line make one end.
    text = ""
    for index, line in enumerate(lines):
        end = ends[index % len(ends)]
        text += line + ("\r\n" if end == "\n" and text.endswith("\r") and not line else end)
    assert fed(*cut(text.encode(), places)) == ["\n".join(event) for event in events]


@given(st.binary(max_size=200), st.lists(st.integers(min_value=0), max_size=20))
def test_any_bytes_at_all_read_the_same_in_any_pieces(body: bytes, places: list[int]) -> None:
    assert fed(*cut(body, places)) == fed(body)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_usual_stream_byte_by_byte(size: int) -> None:
    body = (
        "\ufeff: a comment\r\n"
        "event: message\r\n"
        "id: 7\r\n"
        'data: {"a": "ä€😀"}\r\n'
        "\r\n"
        "data:no blank\n"
        "data:  two\n"
        "data\n"
        "\n"
        "retry: 10\n"
        "\n"
        "data: [DONE]\n\n"
    ).encode()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert fed(*pieces) == ['{"a": "ä€😀"}', "no blank\n two\n", "[DONE]"]


def test_an_event_that_does_not_end_is_none() -> None:
    assert fed(b"data: a\n\ndata: b") == ["a"]
    assert fed(b"data: a\n\ndata: b\n") == ["a"]


def test_an_event_is_reported_as_soon_as_its_empty_line_is_there() -> None:
    stream = EventStream()
    assert stream.feed(b"data: a\r\n") == []
    assert stream.feed(b"\r") == ["a"]
    assert stream.feed(b"\ndata: b\n") == []
    assert stream.feed(b"\n") == ["b"]


def test_a_long_line_is_not_copied_for_each_piece_of_it() -> None:
    stream = EventStream()
    stream.feed(b"data: " + b"x" * 1_000_000)
    tracemalloc.start()
    try:
        for _ in range(100):
            stream.feed(b"y" * 10)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000
    assert stream.feed(b"\n\n") == ["x" * 1_000_000 + "y" * 1_000]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert fed(b"data: a\xff\xc3b\n\n") == ["a\ufffd\ufffdb"]


def test_the_last_event_is_handed_on_at_the_end() -> None:
    cases = [
        (b"data: a\n\ndata: b", ["a", "b"]),
        (b"data: a\n\ndata: b\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n", ["a", "b"]),
        (b"data: a\n\n", ["a"]),
        (b"data: a\n\nevent: b", ["a"]),
        (b"data: b\xc3", ["b\ufffd"]),
        (b'data: a\n\n{"b": 1}', ["a", '{"b": 1}']),
        (b"", []),
    ]
    wrong = []
    for size in [1, 2, 1000]:
        for body, events in cases:
            stream = EventStream()
            pieces = (body[at : at + size] for at in range(0, len(body), size))
            found = [data for piece in pieces for data in stream.feed(piece)]
            got = ([*found, *stream.close()], stream.close())
            if got != (events, []):
                wrong.append((size, body, events, got))
    assert not wrong, "\n".join(map(repr, wrong))


ERROR = '{"error": {"code": 429, "message": "slow"}}'
PRETTY = json.dumps({"error": {"code": 429, "details": [{"a": "}"}], "message": "\n}"}}, indent=2)


AS_IT_IS = [
    (ERROR, [ERROR]),
    (f"[{ERROR}]", [f"[{ERROR}]"]),
    (PRETTY, [PRETTY]),
    (f"[{PRETTY}\n]", [f"[{PRETTY}\n]"]),
    (f"[{PRETTY}]", [f"[{PRETTY}]"]),
    (f"{ERROR}\n{ERROR}", [ERROR, ERROR]),
    ("{no json", ["{no json"]),
    ("[\n" * 3, ["[\n[\n["]),
]


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_json_that_stands_in_it_as_it_is_is_an_event(size: int) -> None:
    wrong = []
    for raw, events in AS_IT_IS:
        for end in ("", "\n", "\n\n", "\n\ndata: b\n\n", "\ndata: b\n\n"):
            body = f"data: a\n\n{raw}{end}".encode()
            stream = EventStream()
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            found = [data for piece in pieces for data in stream.feed(piece)]
            found += stream.close()
            expected = ["a", *events, *(["b"] if "b\n" in end else [])]
            if found != expected:
                wrong.append((raw, end, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_it_is_not_looked_at_again_for_each_bracket() -> None:
    stream = EventStream()
    assert stream.feed(b"[[\n" + b"],[\n" * 7) == []
    assert stream.feed(b"],[\n" * 2) == ["[[\n" + "],[\n" * 7 + "],["]


def test_json_without_end_is_not_kept_for_ever() -> None:
    stream = EventStream()
    for _ in range(10_000):
        stream.feed(b'{\n}, "' + b"x" * 10_000 + b"\n")
    assert stream.close() != []
    tracemalloc.start()
    try:
        for _ in range(1_000):
            stream.feed(b"{\n" + b"x" * 1_000 + b"\n")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


def test_a_stream_is_known_by_its_first_bytes() -> None:
    cases = [
        (b"data: {}", True),
        (b"data:", True),
        (b"event: message_start", True),
        (b": OPENROUTER PROCESSING", True),
        (b":", True),
        (b"id: 7", True),
        (b"retry: 10", True),
        (b"dat", None),
        (b"e", None),
        (b"", None),
        (b'{"data": 1}', False),
        (b"[{}]", False),
        (b"<html>", False),
        (b"Data: x", False),
        (b"database", False),
    ]
    wrong = [
        (head, is_one, found)
        for head, is_one in cases
        if (found := begins_stream(head)) is not is_one
    ]
    assert not wrong, "\n".join(map(repr, wrong))
