"""What is right made wrong: at a value's places, in its JSON text, among its bytes. Pure.

An input is a base and a few small changes, so that drawing one is quick, and what hypothesis makes
smaller is what is left of the changes.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from fuzz.bases import ODD, RAW

Path = tuple[Any, ...]
_LEVELS: Final = 60
"""Of lists that one change adds: all four together are not too deep for `copy` and `json`."""
MANY: Final = (1, 2, 3, 16, 99, 101, 400)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a JSON value, at one of its places."""

    how: str
    place: int
    """Modulo the number of places."""
    odd: int
    """Of `ODD`, or another place."""
    times: int


def _set(value: Any, path: Path, item: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = item


def get(value: Any, path: Path) -> Any:
    """What stands at a place."""
    for key in path:
        value = value[key]
    return value


def paths(value: Any, levels: int = 12) -> Iterator[Path]:
    """Every place of a value, but its root."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    if levels:
        for key, inner in items:
            yield (key,)
            for path in paths(inner, levels - 1):
                yield (key, *path)


def _nested(item: Any, times: int, key: str | None) -> Any:
    for _ in range(min(times, _LEVELS)):
        item = [item] if key is None else {key: item}
    return item


def _delete(value: Any, path: Path, change: Change) -> None:
    holder = get(value, path[:-1])
    if not isinstance(holder, list) or len(holder) > 1:
        del holder[path[-1]]


def _repeat(value: Any, path: Path, change: Change) -> None:
    item = get(value, path)
    holder = get(value, path[:-1])
    if isinstance(holder, list):
        holder[path[-1] : path[-1]] = [item] * change.times
    elif isinstance(item, str | list):
        _set(value, path, item * change.times)
    else:
        for number in range(change.times):
            holder[f"{path[-1]}{number}"] = item


def _swap(value: Any, path: Path, change: Change) -> None:
    places = list(paths(value))
    there = places[change.odd % len(places)]
    item, other = get(value, path), get(value, there)
    _set(value, path, copy.deepcopy(other))
    shorter = min(len(path), len(there))
    if path[:shorter] != there[:shorter]:  # else one lies in the other, and is gone or moved
        # So it may be where one thing stands at several places, as after `_repeat`.
        with suppress(LookupError, TypeError):
            _set(value, there, copy.deepcopy(item))


def _odd(change: Change) -> Any:
    return copy.deepcopy(ODD[change.odd % len(ODD)])


def _add(value: Any, path: Path, change: Change) -> None:
    holder = get(value, path[:-1])
    if isinstance(holder, dict):
        holder[f"k{change.times}"] = _odd(change)
    else:
        holder.append(_odd(change))


def _rename(value: Any, path: Path, change: Change) -> None:
    holder = get(value, path[:-1])
    name = ODD[change.odd % len(ODD)]
    if isinstance(holder, dict) and isinstance(name, str):
        holder[name.removeprefix(RAW) * (change.times % 8)] = holder.pop(path[-1])


HOW: Final[Mapping[str, Callable[[Any, Path, Change], None]]] = {
    "replace": lambda value, path, it: _set(value, path, _odd(it)),
    "delete": _delete,
    "repeat": _repeat,
    "swap": _swap,
    "add": _add,
    "rename": _rename,
    "list": lambda value, path, it: _set(value, path, _nested(get(value, path), it.times, None)),
    "object": lambda value, path, it: _set(value, path, _nested(get(value, path), it.times, "a")),
    "long": lambda value, path, it: _set(value, path, 'a\\"\n{[é'[it.odd % 7] * it.times * 50),
}

changes: Final = st.lists(
    st.builds(
        Change,
        st.sampled_from((*HOW, "replace", "replace")),
        st.integers(0, 400),
        st.integers(0, 400),
        st.sampled_from(MANY),
    ),
    max_size=4,
)
"""Of one JSON value."""


def changed(base: Any, steps: Sequence[Change], most: int = 200_000) -> Any:
    """`base` with all of the changes, in order; it is left as it is once it is large."""
    value = copy.deepcopy(base)
    for step in steps:
        places = list(paths(value))
        if not places or len(places) > 20_000:
            break
        HOW[step.how](value, places[step.place % len(places)], step)
        if len(repr(value)) > most:
            break
    return value


def json_text(value: Any) -> str:
    """JSON, with what is raw in it as it stands."""
    return _RAW.sub(lambda found: json.loads(f'"{found[1]}"'), json.dumps(value))


_RAW: Final = re.compile(rf'"{RAW}((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Cut:
    """One change of bytes."""

    how: str
    at: int
    """In thousandths of the length."""
    length: int
    odd: int


BYTES: Final = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\n\n",
    b"\r",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b"{",
    b"]",
    b'"',
    b"1" * 500,
    b"[" * 300,
    b"\\ud800",
    b"NaN",
    b": keep\n",
    b"\xe2\x80\xa8",
)
cuts: Final = st.lists(
    st.builds(
        Cut,
        st.sampled_from(("cut", "drop", "double", "insert", "flip")),
        st.integers(0, 1000),
        st.integers(1, 400),
        st.integers(0, 255),
    ),
    max_size=3,
)
"""Of a text of bytes."""


def cut(text: bytes, steps: Sequence[Cut]) -> bytes:
    """`text` with all of the changes."""
    for step in steps:
        at = len(text) * step.at // 1000
        head, piece, tail = text[:at], text[at : at + step.length], text[at + step.length :]
        match step.how:
            case "cut":
                text = head
            case "drop":
                text = head + tail
            case "double":
                text = head + piece + piece + tail
            case "flip":
                text = head + bytes((step.odd,)) + piece[1:] + tail
            case _:
                text = head + BYTES[step.odd % len(BYTES)] + piece + tail
    return text


def pieces(text: bytes, length: int) -> Iterator[bytes]:
    """`text` as it may arrive."""
    for begin in range(0, len(text), max(length, len(text) // 500, 1)):
        yield text[begin : begin + max(length, len(text) // 500, 1)]
