"""Turns the bytes of a streamed answer into text for the listener and one final value."""

from collections.abc import Callable, Mapping
from typing import Any

import trio

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.providers.http.api import StreamReader
from nexus_actors.providers.http.event_stream import BLANK, BOM, EventStream, begins_stream
from nexus_actors.providers.port import OnText

_NO_OBJECT = "an event of the stream is no JSON object"
_OF_ANSWERS = frozenset({"candidates", "choices", "content", "output", "promptFeedback", "type"})
"""Every answer, and every event of one, has one of these keys."""
_OF_ERRORS = frozenset({"detail", "details", "error_msg", "errors", "message", "msg"})
"""Every error without the key `error` has one of these keys."""
_OF_FLAT_ERRORS = frozenset({"code", "message", "param", "type"})


class AnswerStream:
    """Passes events to an API's reader, and text to the listener."""

    def __init__(self, reader: StreamReader, on_text: OnText) -> None:
        self._reader = reader
        self._on_text = on_text
        self._events = EventStream()
        self._started = trio.current_time()
        self._fault: str | None = None
        self._error: Mapping[str, Any] | None = None
        self.seconds_to_first_text: float | None = None

    def take(self, piece: bytes) -> None:
        """Take the next bytes. An event that is not a JSON object is skipped, and reported only if
        no answer comes."""
        for data in self._events.feed(piece):
            self._take_data(data)

    def close(self) -> None:
        """The body is complete."""
        for data in self._events.close():
            self._take_data(data)

    def take_event(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        if self._error is None and _is_error(event):
            self._error = with_error(event)
        text = self._reader.take(event)
        if text:
            if self.seconds_to_first_text is None:
                self.seconds_to_first_text = trio.current_time() - self._started
            self._on_text(text)

    def _take_data(self, data: str) -> None:
        if not data.strip() or data.strip() == "[DONE]":
            return
        parsed = parse(data)
        value = parsed.value if isinstance(parsed, Parsed) else None
        if isinstance(value, list) and len(value) == 1:  # Google wraps errors in a list
            value = value[0]
        if isinstance(value, Mapping):
            self.take_event(value)
        else:
            self._fault = _NO_OBJECT

    def whole(self) -> Mapping[str, Any] | str:
        """The complete answer, or why there is none."""
        whole = self._reader.whole()
        # An apparent error beside a complete answer does no harm.
        if whole is not None:
            return whole
        return self._error or self._fault or "the stream ended early"


def whole_answer(body: bytes, reader_of: Callable[[], StreamReader]) -> Mapping[str, Any] | str:
    """The answer in a complete body, or why there is none.

    The content type is ignored, since it is often wrong. A body that begins like an event stream is
    one; a list contains the events of a stream, or an error; anything else is one JSON object.
    """
    stream = AnswerStream(reader_of(), lambda _: None)
    if begins_stream(body.removeprefix(BOM).lstrip(BLANK)):
        stream.take(body)
        stream.close()
        return stream.whole()
    value = _read_json(body)
    if isinstance(value, str):
        # JSON lines, such as an error with something after it, are a stream without `data:`.
        stream.take(body)
        stream.close()
        lines = stream.whole()
        return value if isinstance(lines, str) else lines
    if isinstance(value, list):
        for event in value:
            if not isinstance(event, Mapping):
                return "expected a JSON object"
            stream.take_event(event)
        return stream.whole() if value else "expected a JSON object"
    return with_error(value) if _is_error(value) else value


def read_object(body: bytes) -> Mapping[str, Any] | str:
    """The JSON object in `body`, or why there is none."""
    value = _read_json(body)
    return "expected a JSON object" if isinstance(value, list) else value


def _read_json(body: bytes) -> Mapping[str, Any] | list[Any] | str:
    try:
        parsed = parse(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return "not UTF-8"
    if not isinstance(parsed, Parsed):
        return parsed.reason
    is_one = isinstance(parsed.value, Mapping | list)
    return parsed.value if is_one else "expected a JSON object"


def with_error(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Wrap an error under the key `error`, unless it already has that key."""
    return value if value.get("error") else {"error": value}


def _is_error(value: Mapping[str, Any]) -> bool:
    """Whether the value is an error instead of a part of an answer: it has the key `error`, or the
    form that some servers use instead (`{"detail": …}`, `{"message": …, "code": …}`)."""
    if value.keys() & _OF_ANSWERS:
        is_flat = value.keys() <= _OF_FLAT_ERRORS and isinstance(value.get("message"), str)
        return is_flat or value.get("object") == "error"
    return bool(value.get("error")) or bool(value.keys() & _OF_ERRORS)
