"""Buffers of streamed text between the workers and the StreamPublisher. Passive objects."""

from collections.abc import Callable, Iterator, Mapping

from nexus_actors.contract.stream import PIECE_LIMIT, Piece

MOST_BUFFERED = 1_000_000
"""Characters buffered while the database is slow. More is dropped: the result has all of it."""


class TextStream:
    """The text of one call."""

    def __init__(self, streams: "TextStreams", request_id: str, attempt: int) -> None:
        self._streams = streams
        self.request_id = request_id
        self._attempt = attempt
        self._number = 0
        self._texts: list[str] = []

    def tell(self, text: str) -> None:
        """Append text. Never blocks, never fails."""
        if self._streams.has_room(len(text)):
            self._texts.append(text)
            self._streams.gather(self, len(text))
        else:
            self._number += 1  # the gap in the numbers shows listeners that text is missing

    def take(self) -> Iterator[Piece]:
        """Take the text since the last call, in pieces."""
        text, self._texts = "".join(self._texts), []
        for start in range(0, len(text), PIECE_LIMIT):
            yield Piece(self._attempt, self._number, text[start : start + PIECE_LIMIT])
            self._number += 1


class TextStreams:
    """Buffers the text of all calls. `on_text` is called when there is something to publish; it
    must not block."""

    def __init__(self) -> None:
        self._gathered: dict[TextStream, None] = {}
        self._buffered = 0
        self.on_text: Callable[[], None] = lambda: None

    def open(self, request_id: str, attempt: int) -> TextStream:
        """Begin the stream of one call."""
        return TextStream(self, request_id, attempt)

    def has_room(self, length: int) -> bool:
        """Whether this many more characters can be buffered."""
        return self._buffered + length <= MOST_BUFFERED

    def gather(self, stream: TextStream, length: int) -> None:
        """A stream has new text."""
        self._gathered[stream] = None
        self._buffered += length
        self.on_text()

    def take(self) -> Mapping[str, list[Piece]]:
        """Take all pieces since the last call, by request, each request's in order."""
        gathered, self._gathered = self._gathered, {}
        self._buffered = 0
        pieces: dict[str, list[Piece]] = {}
        for stream in gathered:
            pieces.setdefault(stream.request_id, []).extend(stream.take())
        return pieces
