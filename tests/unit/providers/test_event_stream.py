"""Server-sent events, however the bytes are cut."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.providers.http.event_stream import EventStream

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


def test_an_event_is_told_as_soon_as_its_empty_line_is_there() -> None:
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
