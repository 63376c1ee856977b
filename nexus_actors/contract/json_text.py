"""Reads and writes JSON text, bounded so that one hostile message does not affect others.

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
"""The deepest nesting: more than any tool's schema needs, less than recursion allows."""
MOST_VALUES: Final = 500_000
"""The most values: more than any answer has tokens for. Each takes up to a hundred bytes of memory,
however short its text is."""
_MAX_DIGITS: Final = 300
"""The most digits of an integer. jsonb turns the 8 characters `1e131071` into 131,072 digits."""
_LONGEST_NUMBER: Final = 400
"""The most characters of any other number."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_UNSTORABLE = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)
_REPLACEMENT: Final = "\ufffd"
_MAX_INT_BITS: Final = 1000


@dataclass(frozen=True, slots=True)
class Parsed:
    """A JSON value, nested at most MAX_DEPTH deep, with finite numbers and storable text."""

    value: Any


@dataclass(frozen=True, slots=True)
class Unparsable:
    """Why a text is not accepted. `value` is what could be read, at any depth."""

    reason: str
    path: str | None = None
    value: Any = None
    is_json: bool = True
    """False if it is not JSON at all; True for JSON that is not accepted."""
    word: str = ""
    """`NaN`, `Infinity` or `-Infinity`, if that is in the place of a number."""


class _OutOfRange(ValueError):
    """A number that Python or JSON cannot represent. The text is what was found, if it is a
    word."""


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
    """Parse one JSON text. Of duplicate keys the last counts, as in jsonb.

    Takes time and memory linear in `text`. Values are counted before any is made, so memory is also
    bounded by `most_values`.
    """
    # A text has no more values than characters.
    if len(text) >= most_values and values_within(text, most_values) > most_values:
        return Unparsable(f"more than {most_values:,} values")
    return parse_counted(text)


def parse_counted(text: str) -> Parsed | Unparsable:
    """`parse` for a text whose values were counted already."""
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
    """Whether the fast decoder can be used, which accepts NUL and numbers of any length. Also False
    for a text that only might contain such a number.
    """
    return not _ESCAPED_NUL.search(text) and not _may_hold_long_number(text)


def _may_hold_long_number(text: str) -> bool:
    # Sample positions of any run that long. Prose has no six digits in a row.
    return len(text) > _MAX_DIGITS and _NUMERIC.search(text[:: _MAX_DIGITS // 6]) is not None


_ESCAPED_NUL: Final = re.compile(r"\\u0000")
"""A regular expression, which takes two thirds of the time of `in`."""
_NUMERIC: Final = re.compile("[-+.0-9eE]{6}")


def parse_closely(text: str) -> Parsed | Unparsable:
    """Parse with the standard library what the fast decoder refuses or changes, and say why."""
    try:
        value = _STRICT.decode(text)
    except _OutOfRange as error:
        return _explain_number(text, str(error))
    except json.JSONDecodeError as error:
        return Unparsable(f"not JSON from character {error.pos} on", is_json=False)
    except RecursionError:
        return Unparsable(f"nested more than {MAX_DEPTH} levels deep")
    # The depth cannot exceed the number of opening brackets, which is cheap to count.
    if text.count("{") + text.count("[") > MAX_DEPTH and (path := _too_deep(value)) is not None:
        return Unparsable(f"nested more than {MAX_DEPTH} levels deep", path, value)
    if "\0" in text or _ESCAPED_UNSTORABLE.search(text) or not _encodable(text):
        value = storable(value)
    return Parsed(value)


def values_within(text: str, most: int) -> int:
    """An upper bound of the values in a JSON text; more exact if the first one exceeds `most`."""
    found = _marks(text)
    if found <= most:
        return found
    # Texts may contain commas, too: only those outside of texts count. Each text is a value or a
    # key, so if there are few values there are few pieces.
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
"""Characters that are split at once: the parts of a long text would take many times its memory."""


def _marks(text: str) -> int:
    """Count commas and brackets: one precedes each value of a list or object."""
    return 1 + text.count(",") + text.count("[") + text.count("{")


def parse_loosely(text: str) -> Any:
    """The value of a JSON text. Numbers that `parse` refuses become infinity or NaN. Raises
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
    """The path of the first value deeper than MAX_DEPTH."""
    return _find(root, lambda _value, depth: depth > MAX_DEPTH) if _is_too_deep(root) else None


def _is_too_deep(root: Any) -> bool:
    """Go level by level, through non-empty lists and objects only."""
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
    """The path of the first value that `wanted(value, depth)` accepts. Works at any depth, since it
    is not recursive, and keeps only the current path in memory."""
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
    """Format `("messages", 2, "role")` as `messages[2].role`, in at most `limit` characters. Keys
    are foreign text, so invisible characters are escaped."""
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
    """The text with U+FFFD instead of what jsonb refuses: NUL and lone surrogates."""
    if "\0" not in text and (text.isascii() or _encodable(text)):
        return text
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def unstorable_at(text: str, value: Any) -> str | None:
    """The path of the first text that jsonb refuses (see `clean_text`), or of the object with such
    a key; empty for the outermost object.
    """
    if not _ESCAPED_UNSTORABLE.search(text):
        return None
    path = _find([value], lambda inner, _depth: any(map(_UNSTORABLE.search, _texts(inner))))
    return None if path is None else path.removeprefix("[0]").removeprefix(".")


def _texts(value: Any) -> Iterable[str]:
    return value if type(value) is dict else (value,) if type(value) is str else ()


def storable(value: Any, depth: int = 0) -> Any:
    """The value in a form that jsonb can hold. Texts: see `clean_text`. NaN, infinities, numbers
    beyond 1,000 bits and values nested too deep become None. Unknown types become text."""
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
    """Compact JSON text of a value of JSON's types, made storable. See also `dump_any`."""
    # Nearly every value is storable already, which its text shows at a fraction of the cost.
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
    """Compact JSON of a value of JSON's types, unchanged. None if JSON cannot represent it."""
    try:
        written = _ENCODER.encode(value)
        if b"null" not in written:  # NaN also becomes null
            return written
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        pass
    try:  # ASCII, so that encoding cannot fail
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (ValueError, RecursionError):
        return None


def dump_any(value: Any) -> str:
    """Compact JSON text of any value that a caller gave. Unknown types become text."""
    return _STANDARD_ENCODER.encode(storable(value))


_DECODER: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()
_STANDARD_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_LONG_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{301}")
"""Numbers of 1,000 bits have that many digits. Matches begin at a first digit, so it is linear."""
