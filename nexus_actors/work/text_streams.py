"""The text of streamed answers, between the workers and the StreamPublisher. Passive objects."""

from collections.abc import Callable, Iterator, Mapping

from nexus_actors.contract.stream import PIECE_LIMIT, Piece

MOST_BUFFERED = 1_000_000
"""Characters kept while the database is slow; what comes beyond is dropped: the result has it."""


class TextStream:
    """What one call to a provider tells its text to."""

    def __init__(self, streams: "TextStreams", request_id: str, attempt: int) -> None:
        self._streams = streams
        self.request_id = request_id
        self._attempt = attempt
        self._number = 0
        self._texts: list[str] = []

    def tell(self, text: str) -> None:
        """Add to the answer. Never blocks, never fails."""
        if self._streams.has_room(len(text)):
            self._texts.append(text)
            self._streams.told(self, len(text))
        else:
            self._number += 1  # the gap tells the listener that something is missing

    def take(self) -> Iterator[Piece]:
        """What was told since the last time."""
        text, self._texts = "".join(self._texts), []
        for start in range(0, len(text), PIECE_LIMIT):
            yield Piece(self._attempt, self._number, text[start : start + PIECE_LIMIT])
            self._number += 1


class TextStreams:
    """Gathers what all calls tell. `on_text` is called when there is something to publish; it must
    not block."""

    def __init__(self) -> None:
        self._told: dict[TextStream, None] = {}
        self._buffered = 0
        self.on_text: Callable[[], None] = lambda: None

    def open(self, request_id: str, attempt: int) -> TextStream:
        """For one call."""
        return TextStream(self, request_id, attempt)

    def has_room(self, length: int) -> bool:
        """Whether so many characters more can be kept."""
        return self._buffered + length <= MOST_BUFFERED

    def told(self, stream: TextStream, length: int) -> None:
        """A stream has something to take."""
        self._told[stream] = None
        self._buffered += length
        self.on_text()

    def take(self) -> Mapping[str, list[Piece]]:
        """All pieces since the last time, by request, each request's in order."""
        told, self._told = self._told, {}
        self._buffered = 0
        pieces: dict[str, list[Piece]] = {}
        for stream in told:
            pieces.setdefault(stream.request_id, []).extend(stream.take())
        return pieces
