"""The native client's parser: any split of the bytes comes to the same, and what is no answer is
refused by a name, in bounded memory."""

import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_actors.providers.http.native import parser as named
from nexus_actors.providers.http.native.parser import AnswerParser

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def parsed(*pieces: bytes, ends: bool = True) -> tuple[object, ...]:
    """What comes of an answer that arrives so: why it is refused, and what it said."""
    parser = AnswerParser()
    body = b""
    refusal: str | None = None
    for piece in pieces:
        refusal = parser.feed(piece)
        body += b"".join(parser.pieces)
        if refusal is not None or parser.is_complete:
            break
    if ends and refusal is None and not parser.is_complete:
        refusal = parser.finish()
    parser.close()
    headers = parser.headers if parser.status else {}  # half a head says nothing
    return refusal, parser.status, headers, body, parser.is_complete


REFUSED = [
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", named.BARE_LINE_END),
    (OK + b"A: b\nContent-Length: 2\r\n\r\nhi", named.BARE_LINE_END),
    (OK + b"A: b\rContent-Length: 2\r\n\r\nhi", named.BARE_LINE_END),
    (CHUNKED + b"2\nhi\n0\n\n", named.BARE_LINE_END),
    (
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        named.LENGTH_BESIDE_CHUNKED,
    ),
    (CHUNKED[:-2] + b"Content-Length: 2\r\n\r\nhi", named.LENGTH_BESIDE_CHUNKED),
    (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", named.TWO_LENGTHS),
    (OK + b"Content-Length: 2, 2\r\n\r\nhi", named.BAD_LENGTH),
    (OK + b"Content-Length: -2\r\n\r\nhi", named.BAD_LENGTH),
    (OK + b"Content-Length: 99999999999999999999999\r\n\r\nhi", named.BAD_LENGTH),
    (OK + b"Transfer-Encoding: gzip\r\n\r\nhi", named.UNKNOWN_CODING),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", named.UNKNOWN_CODING),
    (OK + b"Transfer-Encoding: chunked, gzip\r\n\r\nhi", named.UNKNOWN_CODING),
    (CHUNKED + b"xx\r\nhi\r\n0\r\n\r\n", named.BAD_CHUNK),
    (CHUNKED + b"2\r\nhixx\r\n0\r\n\r\n", named.BAD_CHUNK),
    (CHUNKED + b"f" * 17 + b"\r\nhi", named.BAD_CHUNK),
    (OK + b"A : b\r\n\r\n", named.BAD_HEADER),
    (OK + b": b\r\n\r\n", named.BAD_HEADER),
    (OK + b"A: b\x00c\r\n\r\n", named.BAD_HEADER),
    (OK + b"A: b\r\n c\r\n\r\n", named.BAD_HEADER),
    (b"HTTP/1.1 1000 OK\r\n\r\n", named.BAD_STATUS),
    (b"HTTP/1.1 099 OK\r\n\r\n", named.BAD_STATUS),
    (b"HTTP/1.1 20 OK\r\n\r\n", named.BAD_STATUS),
    (b"HTTP/2.0 200 OK\r\n\r\n", named.NOT_HTTP),
    (b"HTTP/0.9 200 OK\r\n\r\n", named.NOT_HTTP),
    (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", named.NOT_HTTP),
    (b"<html>", named.NOT_HTTP),
    (b"HTTP/1.1 101 Oh\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nx", named.SWITCHES),
    (OK + b"Content-Length: 3\r\n\r\nhi", named.CUT_SHORT),
    (CHUNKED + b"2\r\nhi\r\n", named.CUT_SHORT),
    (OK + b"A: b", named.CUT_SHORT),
    (b"HTTP/1.1 100 Go on\r\n\r\n", named.CUT_SHORT),
]


def test_what_is_no_answer_is_refused_by_name_however_it_is_split() -> None:
    wrong = [
        (answer, refusal, found)
        for answer, refusal in REFUSED
        if (found := (parsed(answer)[0], parsed(*(bytes([byte]) for byte in answer))[0]))
        != (refusal, refusal)
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", 200, b"hi"),
        (OK + b"content-length:2 \r\n\r\nhi", 200, b"hi"),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
        (CHUNKED + b"1;a=b\r\nh\r\n1\r\ni\r\n0\r\nX-Trailer: t\r\n\r\n", 200, b"hi"),
        (CHUNKED.replace(b"chunked", b"Chunked") + b"2\r\nhi\r\n0\r\n\r\n", 200, b"hi"),
        (OK + b"\r\nhi there", 200, b"hi there"),
        (OK + b"Connection: close\r\n\r\n", 200, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nhi", 200, b"hi"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 No\r\n\r\n", 304, b""),
        (b"HTTP/1.1 503\r\nContent-Length: 2\r\n\r\nhi", 503, b"hi"),
        (b"HTTP/1.1 100 A\r\nB: c\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nhi", 200, b"hi"),
        (b"HTTP/1.1 103 Hints\r\nContent-Length: 7\r\n\r\n" + OK + b"\r\nhi", 200, b"hi"),
    ],
)
def test_each_framing_is_read_however_it_is_split(answer: bytes, status: int, body: bytes) -> None:
    for pieces in ((answer,), tuple(bytes([byte]) for byte in answer)):
        refusal, found, headers, read, is_complete = parsed(*pieces)
        assert (refusal, found, read, is_complete) == (None, status, body, True)
        assert isinstance(headers, dict)
        assert not {"b", "x-trailer"} & headers.keys()  # of an interim answer, and of no head


def test_headers_are_found_in_lower_case_and_those_reported_twice_are_one() -> None:
    told = (
        OK
        + b"Retry-After: 7\r\nX: a\r\nx: b\r\nU: \xc3\xa9\r\nL: \xe9\r\nContent-Length: 0\r\n\r\n"
    )
    headers = parsed(told)[2]
    assert headers == {"retry-after": "7", "x": "a, b", "u": "é", "l": "é", "content-length": "0"}


@pytest.mark.parametrize("behind", [OK + b"Content-Length: 3\r\n\r\nbad", b"\x00", b"HTTP"])
@pytest.mark.parametrize(
    "first", [OK + b"Content-Length: 2\r\n\r\nhi", CHUNKED + b"2\r\nhi\r\n0\r\n\r\n"]
)
def test_what_comes_behind_an_answer_is_no_part_of_it_and_the_last_of_its_connection(
    first: bytes, behind: bytes
) -> None:
    parser = AnswerParser()
    assert parser.feed(first + behind) is None
    assert (b"".join(parser.pieces), parser.status, parser.is_complete) == (b"hi", 200, True)
    assert parser.is_last
    parser.close()


def test_one_parser_reads_answer_after_answer_until_one_says_that_it_is_the_last() -> None:
    parser = AnswerParser()
    for body in (b"a", b"bc", b""):
        parser.expect()
        assert parser.feed(b"%bContent-Length: %d\r\n\r\n%b" % (OK, len(body), body)) is None
        assert (b"".join(parser.pieces), parser.is_complete, parser.is_last) == (body, True, False)
    parser.expect()
    assert parser.feed(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n") is None
    assert parser.is_complete
    assert parser.is_last
    parser.close()


BODY = st.binary(max_size=60)
NAME = st.from_regex(r"[A-Za-z-]{1,8}", fullmatch=True).map(lambda it: b"X-" + it.encode())
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12).map(str.encode)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer in any framing, and its body."""
    interim = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * draw(st.integers(0, 2))
    lines = b"".join(
        b"%b: %b\r\n" % pair for pair in draw(st.lists(st.tuples(NAME, VALUE), max_size=3))
    )
    body = draw(BODY)
    match draw(st.sampled_from(("length", "chunked", "end"))):
        case "length":
            rest = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        case "chunked":
            cuts = sorted(draw(st.sets(st.integers(1, 59), max_size=4)))
            parts = [body[a:b] for a, b in zip((0, *cuts), (*cuts, None), strict=True)]
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
            rest = b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        case _:
            rest = b"\r\n" + body
    return interim + OK + lines + rest, body


def split(data: bytes, cuts: set[int]) -> tuple[bytes, ...]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    pieces = (data[a:b] for a, b in zip((0, *places), (*places, None), strict=True))
    return tuple(piece for piece in pieces if piece)


CUTS = st.sets(st.integers(0, 400), max_size=8)


@settings(max_examples=100)
@given(answers(), CUTS)
def test_any_split_of_any_framing_comes_to_the_same(
    answer: tuple[bytes, bytes], cuts: set[int]
) -> None:
    data, body = answer
    whole = parsed(data)
    assert (whole[0], whole[3], whole[4]) == (None, body, True)
    assert parsed(*split(data, cuts)) == whole


@settings(max_examples=150)
@given(answers(), st.integers(0, 400), st.binary(max_size=6), CUTS)
def test_a_spoilt_answer_comes_to_the_same_however_it_is_split(
    answer: tuple[bytes, bytes], place: int, spoilt: bytes, cuts: set[int]
) -> None:
    data = answer[0]
    place %= len(data)
    data = data[:place] + spoilt + data[place + len(spoilt) :]
    whole = parsed(data)
    assert parsed(*split(data, cuts)) == whole
    names = {value for name, value in vars(named).items() if name.isupper()}
    assert whole[0] is None or whole[0] in names


@settings(max_examples=100)
@given(st.binary(max_size=200), CUTS)
def test_garbage_is_refused_by_name(garbage: bytes, cuts: set[int]) -> None:
    refusal = parsed(*split(garbage, cuts))[0]
    assert refusal in {value for name, value in vars(named).items() if name.isupper()}


PIECE = 65_536


@pytest.mark.parametrize(
    ("begin", "more", "refusal"),
    [
        (b"HTTP/1.1 200 ", b"x" * PIECE, named.LARGE_HEAD),
        (OK + b"A: ", b"x" * PIECE, named.LARGE_HEAD),
        (OK, b"x" * PIECE, named.LARGE_HEAD),
        (OK, b"A: b\r\n" * 10_000, named.MANY_HEADERS),
        (OK, b"A: %b\r\n" % (b"x" * 900) * 70, named.LARGE_HEAD),
        (b"", b"HTTP/1.1 100 Go on\r\n\r\n" * 3000, named.LARGE_HEAD),
        (CHUNKED + b"0\r\nT: ", b"x" * PIECE, named.LARGE_HEAD),
        (CHUNKED + b"1;", b"x" * PIECE, named.LARGE_HEAD),
        (CHUNKED + b"0\r\n", b"T: u\r\n" * 10_000, named.MANY_HEADERS),
    ],
)
def test_what_never_ends_is_refused_soon_and_in_little_memory(
    begin: bytes, more: bytes, refusal: str
) -> None:
    tracemalloc.start()
    try:
        found = parsed(begin, *(more,) * 1000, ends=False)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[0] == refusal
    assert most < 16 * PIECE


def test_a_body_is_handed_out_as_it_comes_and_not_kept() -> None:
    parser = AnswerParser()
    parser.feed(OK + b"Content-Length: 65536000\r\n\r\n")
    checksum = 0
    for _ in range(1000):
        assert parser.feed(b"x" * PIECE) is None
        checksum = zlib.crc32(b"".join(parser.pieces), checksum)
        assert sum(map(len, parser.pieces)) == PIECE
    assert parser.is_complete
    parser.close()
