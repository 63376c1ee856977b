"""JSON text in both directions, bounded so that one hostile message hurts no other.

`parse` never raises; `storable` makes any value fit for a jsonb column.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nexus_actors.contract.shown_text import printable

MAX_DEPTH: Final = 100
"""Levels of nesting accepted: more than any tool's schema needs, less than recursion bears."""
MOST_VALUES: Final = 500_000
"""Values accepted: more than any answer has tokens for. Each takes up to a hundred bytes once it is
read, however few it has as text."""
_MAX_DIGITS: Final = 300
"""Digits of an integer accepted. jsonb turns the 10 characters `1e131071` into 131,072 digits."""
_LONGEST_NUMBER: Final = 400
"""Characters of any other number."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_UNSTORABLE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)
_REPLACEMENT: Final = "\ufffd"
_MAX_INT_BITS: Final = 1000


@dataclass(frozen=True, slots=True)
class Parsed:
    """A JSON value: nested at most MAX_DEPTH deep, all numbers finite, all text storable."""

    value: Any


@dataclass(frozen=True, slots=True)
class Unparsable:
    """Why a text is not accepted. `value` is what could be read, of unknown depth."""

    reason: str
    path: str | None = None
    value: Any = None
    is_json: bool = True
    """False for what is no JSON at all; else it is JSON that is not taken."""
    word: str = ""
    """`NaN`, `Infinity` or `-Infinity`, if that stands where a number is expected."""


class _OutOfRange(ValueError):
    """A number that Python or JSON cannot carry. Its text is what was found, if that is a word."""


def _strict_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise _OutOfRange
    return int(digits)


def _strict_float(text: str) -> float:
    number = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
    if not math.isfinite(number):
        raise _OutOfRange
    return number


def _refuse_constant(name: str) -> float:
    raise _OutOfRange(name)


def _lenient_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


_STRICT = json.JSONDecoder(
    parse_int=_strict_int, parse_float=_strict_float, parse_constant=_refuse_constant, strict=False
)


def _lenient_float(text: str) -> float:
    return float(text) if len(text) <= _LONGEST_NUMBER else math.inf


_LENIENT = json.JSONDecoder(parse_int=_lenient_int, parse_float=_lenient_float, strict=False)


def parse(text: str, most_values: int = MOST_VALUES) -> Parsed | Unparsable:
    """Read one JSON text. Of a key that stands twice, the last counts, as in jsonb.

    Takes time and memory in proportion to `text`, and no more memory than `most_values` take:
    they are counted before any of them is made.
    """
    # No text has more values than characters.
    if len(text) >= most_values and values_within(text, most_values) > most_values:
        return Unparsable(f"more than {most_values:,} values")
    return parse_counted(text)


def parse_counted(text: str) -> Parsed | Unparsable:
    """`parse`, for a text whose values were counted."""
    if not is_plain_text(text):
        return parse_closely(text)
    try:
        value = _DECODER.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return parse_closely(text)
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_too_deep(value):
        return parse_closely(text)
    return Parsed(value)


def is_plain_text(text: str) -> bool:
    """Whether the fast decoder can be asked: it would take NUL, and numbers of any length. False
    also for a text that only may hold such a number.
    """
    return not _ESCAPED_NUL.search(text) and not _may_hold_long_number(text)


def _may_hold_long_number(text: str) -> bool:
    # Of any so many characters in a row, these are some; prose has no six such in a row.
    return len(text) > _MAX_DIGITS and _NUMERIC.search(text[:: _MAX_DIGITS // 6]) is not None


_ESCAPED_NUL: Final = re.compile(r"\\u0000")
"""Sought this way in two thirds of the time that `in` takes."""
_NUMERIC: Final = re.compile("[-+.0-9eE]{6}")


def parse_closely(text: str) -> Parsed | Unparsable:
    """By the standard library: what the fast decoder refuses or changes, and why it is refused."""
    try:
        value = _STRICT.decode(text)
    except _OutOfRange as error:
        return _explain_number(text, str(error))
    except json.JSONDecodeError as error:
        return Unparsable(f"not JSON from character {error.pos} on", is_json=False)
    except RecursionError:
        return Unparsable(f"nested more than {MAX_DEPTH} levels deep")
    # Depth cannot exceed the number of opening brackets, which is cheap to count.
    if text.count("{") + text.count("[") > MAX_DEPTH and (path := _too_deep(value)) is not None:
        return Unparsable(f"nested more than {MAX_DEPTH} levels deep", path, value)
    if "\0" in text or _ESCAPED_UNSTORABLE.search(text) or not _encodable(text):
        value = storable(value)
    return Parsed(value)


def values_within(text: str, most: int) -> int:
    """How many values a JSON text has at most; looked at closely if it seems more than `most`."""
    found = _marks(text)
    if found <= most:
        return found
    # Prose has commas too: only those outside of texts count. Each text is a value or its key, so
    # there are not many pieces to take apart where the values are few.
    bare = text.replace("\\\\", "").replace('\\"', "")
    if bare.count('"') > 4 * most + 2:
        return most + 1
    found, inside = 1, 0
    for begin in range(0, len(bare), _PIECE):
        parts = bare[begin : begin + _PIECE].split('"')
        outside = "".join(parts[inside::2])
        found += _marks(outside) - 1 - outside.count("[]") - outside.count("{}")
        if found > most:
            break
        inside = (inside + len(parts) - 1) % 2
    return found


_PIECE: Final = 2**16
"""Characters taken apart at once: of a long text, the parts would take many times its memory."""


def _marks(text: str) -> int:
    """All but the first value of a list or object have a comma before them, that has a bracket."""
    return 1 + text.count(",") + text.count("[") + text.count("{")


def parse_loosely(text: str) -> Any:
    """The value of a JSON text, with infinity for the numbers that `parse` refuses, and NaN. Raises
    ValueError and RecursionError."""
    return _LENIENT.decode(text)


def _explain_number(text: str, word: str) -> Unparsable:
    reason = "a number out of range"
    try:
        value = parse_loosely(text)
    except (ValueError, RecursionError):
        return Unparsable(reason, word=word)
    return Unparsable(reason, _find(value, _is_infinite), value, word=word)


def _is_infinite(value: Any, _depth: int) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _too_deep(root: Any) -> str | None:
    """The path of the first value beyond MAX_DEPTH."""
    return _find(root, lambda _value, depth: depth > MAX_DEPTH) if _is_too_deep(root) else None


def _is_too_deep(root: Any) -> bool:
    """Level by level, and lists and objects alone: what holds nothing can hold nothing deep."""
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [inner for it in level for inner in _held(it) if isinstance(inner, _HOLDERS)]
        if not level:
            return False
    return any(level)


_HOLDERS: Final = (dict, list, tuple, set, frozenset)


def _held(holder: Any) -> Any:
    if isinstance(holder, dict):
        return holder.values()
    return holder if isinstance(holder, _HOLDERS) else ()


def _find(root: Any, wanted: Callable[[Any, int], bool]) -> str | None:
    """The path of the first value that `wanted(value, depth)` accepts. Not recursive: any depth.
    Only the way to where it is at is kept, whatever lies beside it."""
    path: list[str | int] = []
    ways = [_places(root)]
    while ways:
        for place, value in ways[-1]:
            if wanted(value, len(ways)):
                return format_path((*path, place))
            if isinstance(value, _HOLDERS):
                path.append(place)
                ways.append(_places(value))
                break
        else:
            ways.pop()
            if path:
                path.pop()
    return None


def _places(holder: Any) -> Iterator[tuple[str | int, Any]]:
    return iter(holder.items()) if type(holder) is dict else enumerate(_held(holder))


def format_path(parts: tuple[str | int, ...], limit: int = 200) -> str:
    """`("messages", 2, "role")` as `messages[2].role`, at most `limit` characters. Keys are
    foreign: what is not seen is an escape."""
    text = ""
    for part in parts:
        if len(text) > limit:
            break
        # A key may be as long as a message.
        text += f"[{part}]" if isinstance(part, int) else f".{part[: limit + 1]}"
    return printable(text.removeprefix("."), limit)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def clean_text(text: str) -> str:
    """The text with U+FFFD for what jsonb refuses: NUL and lone surrogates."""
    if "\0" not in text and (text.isascii() or _encodable(text)):
        return text
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def unstorable_at(text: str, value: Any) -> str | None:
    """The path of the first text in a JSON text's value that jsonb refuses, see `clean_text`, or of
    the object that has such a key: empty for the outermost.
    """
    if not _ESCAPED_UNSTORABLE.search(text):
        return None
    path = _find([value], lambda inner, _depth: any(map(_UNSTORABLE.search, _texts(inner))))
    return None if path is None else path.removeprefix("[0]").removeprefix(".")


def _texts(value: Any) -> Iterable[str]:
    return value if type(value) is dict else (value,) if type(value) is str else ()


def storable(value: Any, depth: int = 0) -> Any:
    """The value as jsonb can hold it: see `clean_text`; NaN, infinities and numbers beyond
    1,000 bits are None, as is what is nested too deep. Unknown types become their text."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_INT_BITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {clean_text(str(key)): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [storable(item, depth + 1) for item in value]
    return clean_text(str(value))


def dump(value: Any) -> str:
    """Compact JSON text of a value of JSON's types, made storable first; see `dump_any`."""
    # Nearly every value is storable as it is. That is shown by its text, at a fraction of the cost.
    try:
        text = _ENCODER.encode(value).decode()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return dump_any(value)
    if (
        _ESCAPED_NUL.search(text)
        or (_may_hold_long_number(text) and _LONG_DIGITS.search(text))
        or (text.count("{") + text.count("[") > MAX_DEPTH and _is_too_deep(value))
    ):
        return dump_any(value)
    return text


def sendable(value: Any) -> bytes | None:
    """Compact JSON of a value of JSON's types, nothing changed: None for what JSON cannot carry."""
    try:
        written = _ENCODER.encode(value)
        if b"null" not in written:  # which NaN becomes, too
            return written
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        pass
    try:  # escaped to ASCII, so that no text can fail to encode
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (ValueError, RecursionError):
        return None


def dump_any(value: Any) -> str:
    """Compact JSON text of whatever a caller gave: unknown types become their text."""
    return _STANDARD_ENCODER.encode(storable(value))


_DECODER: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()
_STANDARD_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LONG_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{301}")
"""Numbers of 1,000 bits have as many. Begun at the first digit alone, so that it is linear."""
