"""What a listener hears, whatever becomes of the pieces on their way."""

from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.client.stream import PieceOrder, Restarted, StreamEvent
from nexus_actors.contract.stream import (
    PIECE_LIMIT,
    Piece,
    decode_piece,
    encode_piece,
    stream_channel,
)
from nexus_actors.work.text_streams import MOST_BUFFERED, TextStreams


def heard(*pieces: Piece, response: str) -> list[StreamEvent]:
    order = PieceOrder()
    events = [event for piece in pieces for event in order.take(piece)]
    return [*events, *order.rest(response)]


def final(events: list[StreamEvent]) -> str:
    text = ""
    for event in events:
        text = "" if isinstance(event, Restarted) else text + event
    return text


def test_pieces_come_as_they_are_and_nothing_is_said_twice() -> None:
    assert heard(Piece(1, 0, "a"), Piece(1, 1, "b"), response="ab") == ["a", "b"]


def test_without_pieces_the_answer_comes_whole() -> None:
    assert heard(response="all") == ["all"]
    assert heard(response="") == []


def test_after_a_lost_piece_the_rest_comes_with_the_result() -> None:
    pieces = Piece(1, 0, "a"), Piece(1, 2, "c"), Piece(1, 3, "d")
    assert heard(*pieces, response="abcd") == ["a", "bcd"]


def test_another_attempt_begins_anew() -> None:
    pieces = Piece(1, 0, "wrong"), Piece(2, 0, "ri"), Piece(1, 1, "late"), Piece(2, 1, "ght")
    assert heard(*pieces, response="right") == ["wrong", Restarted(), "ri", "ght"]


def test_a_result_that_is_another_text_replaces_what_was_told() -> None:
    assert heard(Piece(1, 0, "half"), response="other") == ["half", Restarted(), "other"]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.text(max_size=3))), st.text())
def test_in_the_end_it_is_the_answer_whatever_came(
    pieces: list[tuple[int, int, str]], response: str
) -> None:
    assert final(heard(*(Piece(*piece) for piece in pieces), response=response)) == response


@given(st.text(st.characters(), min_size=1, max_size=2000))
def test_any_text_fits_through_the_channel(text: str) -> None:
    streams = TextStreams()
    stream = streams.open("r", 1)
    for character in text:
        stream.tell(character)
    pieces = streams.take()["r"]
    payloads = [encode_piece(piece) for piece in pieces]
    assert all(len(payload) < 8000 for payload in payloads)
    assert all(payload.isascii() for payload in payloads)
    assert "".join(piece.text for piece in pieces) == text
    assert streams.take() == {}


def test_what_a_slow_database_cannot_take_is_dropped_and_shows_as_a_gap() -> None:
    streams = TextStreams()
    stream = streams.open("r", 1)
    stream.tell("x" * MOST_BUFFERED)
    stream.tell("lost")
    pieces = streams.take()["r"]
    assert len(pieces) == -(-MOST_BUFFERED // PIECE_LIMIT)
    stream.tell("after")
    [after] = streams.take()["r"]
    assert after.number > len(pieces) - 1


def test_channels_are_names_that_postgresql_takes() -> None:
    for request_id in ("r", "x" * 255, "ä\n\"'"):
        assert len(stream_channel(request_id)) <= 63
        assert stream_channel(request_id).replace("_", "").isalnum()
    assert stream_channel("a") != stream_channel("b")


def test_a_channel_keeps_the_name_that_other_programs_compute() -> None:
    assert stream_channel("r-1") == "nexus_stream_a5fa777a3dc67268caea6eea038ba14177e360db"


def test_what_is_no_piece_is_none() -> None:
    for payload in ("", "x", "[]", '{"attempt": 1}', '{"attempt": "1", "number": 0, "text": "x"}'):
        assert decode_piece(payload) is None
