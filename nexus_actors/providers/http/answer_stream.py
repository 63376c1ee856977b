"""A streamed answer on its way from pieces of bytes to one value."""

from collections.abc import Mapping
from typing import Any

import trio

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.providers.http.api import StreamReader
from nexus_actors.providers.http.event_stream import EventStream
from nexus_actors.providers.port import OnText


class AnswerStream:
    """Feeds an API's reader with the events, and the listener with the text."""

    def __init__(self, reader: StreamReader, on_text: OnText) -> None:
        self._reader = reader
        self._on_text = on_text
        self._events = EventStream()
        self._started = trio.current_time()
        self._fault: str | None = None
        self.seconds_to_first_text: float | None = None

    def take(self, piece: bytes) -> None:
        """Take what arrived. After an event that is no JSON object the rest is passed over."""
        for data in self._events.feed(piece):
            if data == "[DONE]" or self._fault is not None:
                continue
            parsed = parse(data)
            if not isinstance(parsed, Parsed) or not isinstance(parsed.value, Mapping):
                self._fault = "an event of the stream is no JSON object"
                continue
            text = self._reader.take(parsed.value)
            if text:
                if self.seconds_to_first_text is None:
                    self.seconds_to_first_text = trio.current_time() - self._started
                self._on_text(text)

    def whole(self) -> Mapping[str, Any] | str:
        """The answer, or why there is none."""
        whole = self._reader.whole()
        if self._fault is not None and whole is None:
            return self._fault
        return "the stream ended early" if whole is None else whole
