"""Spans as OTLP has them on the wire: protobuf, written straight from what is to be said.

By the messages that protobuf generates, and OpenTelemetry's encoder above them, it takes six times
as long, which is more than all else that is done for a request. The numbers are those of
opentelemetry-proto's trace.proto and common.proto; tests read what is written by that package.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from nexus_actors.tracing.spans import Kind, Span, Value

_KINDS: Final[Mapping[Kind, bytes]] = {"internal": b"\x01", "client": b"\x03", "consumer": b"\x05"}
_HAS_REMOTE, _IS_REMOTE = 0x100, 0x200
"""Flags of a span that say whether its parent is another process's."""


def request(
    spans: Iterable[Span], resource: Mapping[str, Value], scope: tuple[str, str], schema_url: str
) -> bytes:
    """An ExportTraceServiceRequest. `scope`: the name and version of who made the spans."""
    who = _text(1, scope[0]) + _text(2, scope[1])
    of_scope = [_part(1, who), *[_part(2, _span(it)) for it in spans], _text(3, schema_url)]
    about = _part(1, _attributes(1, resource))
    return _part(1, about + _part(2, b"".join(of_scope)) + _text(3, schema_url))


def _span(span: Span) -> bytes:
    flags = span.flags | _HAS_REMOTE | (_IS_REMOTE if span.parent_is_remote else 0)
    return b"".join(
        (
            _part(1, bytes.fromhex(span.trace_id)),
            _part(2, bytes.fromhex(span.span_id)),
            b"" if span.parent is None else _part(4, bytes.fromhex(span.parent)),
            _text(5, span.name),
            b"\x30",  # field 6, a varint
            _KINDS[span.kind],
            b"\x39",  # field 7, eight bytes
            span.start.to_bytes(8, "little"),
            b"\x41",  # field 8, eight bytes
            span.end.to_bytes(8, "little"),
            _attributes(9, span.attributes),
            b"\x7a\x02\x18\x02" if span.error else b"",  # field 15: a Status, whose field 3 is 2
            b"\x85\x01",  # field 16, four bytes
            flags.to_bytes(4, "little"),
        )
    )


def _attributes(number: int, attributes: Mapping[str, Value]) -> bytes:
    return b"".join(
        [
            _named(number, key, it)
            if type(it) is str
            else _part(number, _key(key) + _part(2, _value(it)))
            for key, it in attributes.items()
        ]
    )


@lru_cache(maxsize=2048)
def _named(number: int, key: str, text: str) -> bytes:
    """One attribute that is a text: most are said again and again."""
    return _part(number, _key(key) + _part(2, _text(1, text)))


@cache
def _key(key: str) -> bytes:
    """Of an attribute: one of the few of `conventions.py`, or of the config."""
    return _text(1, key)


def _value(value: Value) -> bytes:
    """An AnyValue."""
    if isinstance(value, str):
        return _text(1, value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    return _part(5, b"".join([_part(1, _value(it)) for it in value]))


def _text(number: int, text: str) -> bytes:
    return _part(number, text.encode("utf-8", "replace"))


def _part(number: int, content: bytes) -> bytes:
    """A field, of a number below 10, that holds so many bytes."""
    length = len(content)
    if length < 0x80:
        return _HEADS[number][length] + content
    return _HEADS[number][0][:1] + _varint(length) + content


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


_HEADS: Final[Sequence[Sequence[bytes]]] = [
    [bytes((number << 3 | 2, length)) for length in range(0x80)] for number in range(10)
]
"""The two bytes before the content of such a field, by its number and its length."""
