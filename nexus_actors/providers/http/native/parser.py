"""Parses the responses on one connection. Pure.

It defines what llhttp leaves open: how large a head may be, which framings are accepted, where a
body ends that ends with the connection, and what may follow a response.
"""

from typing import Final

import httptools

MOST_HEAD: Final = 100 * 1024
"""The most bytes of a head, of trailers, or of anything else between two pieces of a body."""
MOST_HEADERS: Final = 512
"""The most headers of a head and its trailers, including those of interim responses."""

NOT_HTTP: Final = "it is not HTTP/1.1"
SWITCHES: Final = "it switches protocols"
BARE_LINE_END: Final = "a line ends in a bare CR or LF"
LENGTH_BESIDE_CHUNKED: Final = "it has a length beside chunks"
TWO_LENGTHS: Final = "it has two lengths"
BAD_LENGTH: Final = "its length is no number"
BAD_STATUS: Final = "its status is no number of three digits"
BAD_CHUNK: Final = "a chunk is malformed"
BAD_HEADER: Final = "a header is malformed"
UNKNOWN_CODING: Final = "its transfer coding is not known"
LARGE_HEAD: Final = f"its head is larger than {MOST_HEAD // 1024} KiB"
MANY_HEADERS: Final = f"it has more than {MOST_HEADERS} headers"
CUT_SHORT: Final = "it is cut short"

_BY_LLHTTP: Final = (
    ("Missing expected", BARE_LINE_END),
    ("Expected LF after chunk data", BAD_CHUNK),
    ("can't be present with", LENGTH_BESIDE_CHUNKED),
    ("Duplicate Content-Length", TWO_LENGTHS),
    ("Content-Length", BAD_LENGTH),
    ("status", BAD_STATUS),
    ("hunk", BAD_CHUNK),
    ("header", BAD_HEADER),
)
"""What its messages hold, the first that fits; they stay as they are with the locked release."""


class AnswerParser:
    """Parses what is fed. After `feed` and `finish`, its attributes have the result."""

    __slots__ = (
        "_count",
        "_is_interim",
        "_parser",
        "_quiet",
        "_refusal",
        "_to_the_end",
        "has_begun",
        "headers",
        "is_complete",
        "is_last",
        "pieces",
        "status",
    )

    def __init__(self) -> None:
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self.pieces: list[bytes] = []
        """Pieces of the body from the last feed."""
        self.expect()

    def expect(self) -> None:
        """Get ready for the next response."""
        self.has_begun = False
        """Whether any byte has arrived."""
        self.status = 0
        """0 until the head is complete."""
        self.headers: dict[str, str] = {}
        """By lower-case name. Repeated headers are joined with a comma."""
        self.is_complete = False
        self.is_last = False
        """Whether the connection cannot be reused. Valid once the response is complete."""
        self._is_interim = False
        self._to_the_end = False
        self._refusal: str | None = None
        self._count = 0
        self._quiet = 0
        self.pieces.clear()

    def feed(self, data: bytes) -> str | None:
        """Parse bytes. Returns why they are not a valid response, if so: then feed no more."""
        self.has_begun = True
        self.pieces.clear()
        if self._parser is None:
            return CUT_SHORT
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return SWITCHES
        except httptools.HttpParserError as error:
            if self.is_complete:  # bytes after a response do not belong to it
                self.is_last = True
                return None
            return self._refusal or _named(str(error))
        if self.pieces:
            self._quiet = 0
        elif not self.is_complete:
            self._quiet += len(data)
            if self._quiet > MOST_HEAD:
                return self._refusal or LARGE_HEAD
        return self._refusal

    def finish(self) -> str | None:
        """The connection has ended. Returns why the response is not complete, if so."""
        self.pieces.clear()
        if not self._to_the_end:
            return CUT_SHORT
        self.is_complete = self.is_last = True
        return None

    def close(self) -> None:
        """Break the reference cycle with httptools' parser. Nothing can be parsed any more."""
        self._parser = None

    # Callbacks of httptools. It would wrap exceptions, so these raise nothing.

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.is_last = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_complete:
            return
        self._count += 1
        if self._count > MOST_HEADERS:
            self._refusal = self._refusal or MANY_HEADERS
        elif not self.status:  # otherwise it is a trailer
            key = name.decode("ascii").lower()
            text = _text(value)
            headers = self.headers
            headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        if self.is_complete or self._parser is None:
            return
        status = self._parser.get_status_code()
        if self._parser.get_http_version() not in ("1.1", "1.0"):
            self._refusal = self._refusal or NOT_HTTP
        elif 100 <= status < 200:
            self._is_interim = True
        elif status < 100:
            self._refusal = self._refusal or BAD_STATUS
        else:
            coding = self.headers.get("transfer-encoding")
            if coding is None:
                has_body = "content-length" not in self.headers and status not in (204, 304)
                self._to_the_end = has_body
            elif coding.lower() != "chunked":
                self._refusal = self._refusal or UNKNOWN_CODING
            if self._refusal is None:
                self.status = status

    def on_body(self, piece: bytes) -> None:
        if not self.is_complete and self._refusal is None:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
            self.headers = {}
        elif not self.is_complete and self._parser is not None:
            self.is_complete = True
            self.is_last = not self._parser.should_keep_alive()


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _named(message: str) -> str:
    return next((name for part, name in _BY_LLHTTP if part in message), NOT_HTTP)
