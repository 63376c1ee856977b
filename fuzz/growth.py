"""Whether what is twice as long costs twice as much: each place of what is right, made long.

A shape is a base, one of its places, and what it is filled with; a size says how often. Each is run
at a size and at twice that, and the CPU, the calls of functions and the memory are compared. CPU is
looked at only beyond a floor, and again before it counts: the machine may be busy.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fuzz import measure, subjects
from fuzz.bases import ANSWERS, ERRORS, REQUESTS
from fuzz.finding import Finding, described, shortened
from fuzz.mutate import Path, get, json_text, paths, pieces

MOST: Final = 2.3
"""Times as much for an input twice as long."""
STEP: Final = 2.15
"""And so much a size before, or behind."""
FLOOR: Final = 0.005
"""Seconds of CPU below which nothing is said of it."""
CALLS_FLOOR: Final = 3_000
MEMORY: Final = 64
"""Bytes held for each byte of the input at most, and `MEMORY_FLOOR` besides."""
MEMORY_FLOOR: Final = 4 * 2**20
LENGTH: Final = 60_000
"""Characters of the shorter input, about; a run of much less CPU than the floor gets more."""
LONGEST: Final = 2_000_000
TRIES: Final = 4

Fill = Callable[[Any, int], Any]


def _items(item: Any, size: int) -> Any:
    each = max(len(json.dumps(item)), 2)
    return [copy.deepcopy(item) for _ in range(max(size // each, 4))]


def _different(item: Any, size: int) -> Any:
    """As `_items`, but each has texts of its own."""
    made = _items(item, size)
    for number, one in enumerate(made):
        for path in paths(one):
            if isinstance(get(one, path), str) and path[-1] in _NAMES:
                holder = get(one, path[:-1])
                holder[path[-1]] = f"{holder[path[-1]]}{number}"
    return made


_NAMES: Final = frozenset(
    ("id", "call_id", "tool_call_id", "tool_use_id", "name", "index", "server_label", "url", "text")
)


def _nest(opening: str, closing: str, size: int) -> str:
    return f"raw:{opening * (size // 2)}1{closing * (size // 2)}"


def _listed(inner: str, size: int) -> Any:
    return "raw:[" + ",".join([inner] * (size // (len(inner) + 1))) + "]"


FILLS: Final[Mapping[str, Fill]] = {
    "the item many times": _items,
    "different items": _different,
    "a long text": lambda _, size: "a" * size,
    "words": lambda _, size: "word é " * (size // 8),
    "escapes": lambda _, size: 'raw:"' + "\\ud800" * (size // 6) + '"',
    "quotes": lambda _, size: '"' * (size // 2),
    "brackets": lambda _, size: "{[" * (size // 2),
    "JSON in a text": lambda _, size: json.dumps([{"a": 1}] * (size // 12)),
    "nested JSON in a text": lambda _, size: "[" * (size // 2) + "]" * (size // 2),
    "base64": lambda _, size: "data:image/png;base64," + "QUJD" * (size // 4),
    "URLs": lambda _, size: [f"https://192.0.2.{n % 250}/{n}" for n in range(size // 24)],
    "keys": lambda _, size: {f"key{n}": n for n in range(size // 16)},
    "one key many times": lambda _, size: "raw:{" + ",".join(['"a":[]'] * (size // 7)) + "}",
    "numbers": lambda _, size: _listed("1", size),
    "lists": lambda _, size: _listed("[]", size),
    "objects": lambda _, size: _listed('{"type":"x"}', size),
    "deep numbers": lambda _, size: f"raw:{'[' * 90}{'1,' * (size // 2)}1{']' * 90}",
    "deep lists": lambda _, size: f"raw:{'[' * 120}{'[],' * (size // 3)}1{']' * 120}",
    "ragged": lambda _, size: _listed("[" * 60 + "]" * 60, size),
    "digits": lambda _, size: "raw:" + "1" * size,
    "nested lists": lambda _, size: _nest("[", "]", size),
    "nested objects": lambda _, size: _nest('{"a":', "}", size // 3),
    "exponents": lambda _, size: _listed("1e300", size),
    "lone surrogates": lambda _, size: _listed('"\\ud800"', size),
    "white space": lambda _, size: "raw:[" + " \n" * (size // 2) + "]",
    "line ends": lambda _, size: "\r\n" * (size // 4),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing that can be made of any length."""

    subject: str
    base: int
    path: Path
    fill: str
    piece: int = 0
    """Bytes that arrive at once; 0: all."""

    def __str__(self) -> str:
        place = ".".join(map(str, self.path))
        piece = f", {self.piece} bytes at once" if self.piece else ""
        return f"{self.subject} {self.base}: {place} = {self.fill}{piece}"

    def input(self, size: int) -> Any:
        """The value, about `size` characters longer than its base."""
        value = copy.deepcopy(BASES[self.subject][self.base])
        item = copy.deepcopy(get(value, self.path))
        filled = FILLS[self.fill](item, size)
        holder = get(value, self.path[:-1])
        if isinstance(holder, list) and isinstance(filled, list):
            holder[self.path[-1] : self.path[-1] + 1] = filled
        else:
            holder[self.path[-1]] = filled
        return value

    def call(self, size: int) -> tuple[int, Callable[[], object]]:
        """How many bytes the input has, and what reads it."""
        value = self.input(size)
        if self.subject == "request":
            text = json_text({"request_id": "r", "complexity": "simple", **value})
            return len(text), partial(subjects.request, text)
        name, _, form = self.subject.partition(" ")
        if form == "events":
            body = b"".join(b"data: %s\n\n" % json_text(event).encode() for event in value)
            parts = list(pieces(body, self.piece or len(body)))
            return len(body), partial(subjects.answer, name, body, parts, 200)
        body = json_text(value).encode()
        status = 400 if form == "error" else 200
        return len(body), partial(subjects.answer, name, body, None, status)


BASES: Final[dict[str, tuple[Any, ...]]] = {
    "request": REQUESTS,
    **{f"{api} answer": (whole,) for api, (whole, _) in ANSWERS.items()},
    **{f"{api} events": (events,) for api, (_, events) in ANSWERS.items()},
    "chat error": ERRORS,
    "gemini error": ERRORS,
}


def shapes() -> Iterator[Shape]:
    """All there are, in a fixed order."""
    for subject, bases in BASES.items():
        for number, base in enumerate(bases):
            for path in paths(base):
                for fill in FILLS:
                    yield Shape(subject, number, path, fill, 0)
                    if subject.endswith("events"):
                        yield Shape(subject, number, path, fill, 7)


def grown(shape: Shape) -> list[Finding]:
    """What is wrong with this shape's growth."""
    size = LENGTH
    try:
        length, once = shape.call(size)
        once()  # what is made once, such as a compiled schema, is no cost of the input's
        first = measure.cpu(once)
        while first < FLOOR and size < LONGEST:
            size = min(int(size * min(max(FLOOR / max(first, 1e-5), 2), 16)), LONGEST)
            length, once = shape.call(size)
            first = measure.cpu(once)
        longer, twice = shape.call(2 * size)
        if longer < 1.7 * length:
            return []
        return [
            Finding("growth", what, shortened(f"{shape} ({length} and {longer} bytes)"))
            for what in (
                _cpu(shape, size),
                _counted(once, twice, longer / length),
                _memory(twice, longer),
            )
            if what is not None
        ]
    except Exception as error:  # noqa: BLE001 - any is a finding
        what, where = described(error)
        return [Finding("growth", what, str(shape), where)]


def counted(shape: Shape, size: int) -> list[Finding]:
    """The same by what is no matter of time: calls and memory."""
    (length, once), (longer, twice) = shape.call(size), shape.call(2 * size)
    once()
    told_of = (_counted(once, twice, longer / length), _memory(twice, longer))
    return [Finding("growth", what, f"{shape}") for what in told_of if what is not None]


def _cpu(shape: Shape, size: int) -> str | None:
    """In proportion to the lengths. A step, as where something is looked at more closely from some
    length on, is no growth: what grows does so before or behind it as well."""
    ratio, seconds = _ratio(shape, size)
    if ratio <= MOST:
        return None
    before, behind = _ratio(shape, size // 2)[0], _ratio(shape, 2 * size)[0]
    if max(before, behind) <= STEP:
        return None
    return f"CPU grows {ratio:.2f} times where the input doubles, to {seconds:.3f} s"


def _ratio(shape: Shape, size: int) -> tuple[float, float]:
    """How many times the CPU grows from this size to twice that, the least of several looks; and
    how much it is then."""
    length, once = shape.call(size)
    longer, twice = shape.call(2 * size)
    ratios, two = [], 0.0
    for attempt in range(TRIES):
        one, two = measure.cpu(once, 1 + attempt), measure.cpu(twice, 1 + attempt)
        ratios.append(two / max(one, 1e-9) * 2 * length / longer)
        if one < FLOOR / 2 or ratios[-1] <= STEP:
            return (0.0 if one < FLOOR / 2 else ratios[-1]), two
    return min(ratios), two


def _counted(once: Callable[[], object], twice: Callable[[], object], factor: float) -> str | None:
    one, two = measure.calls(once), measure.calls(twice)
    ratio = two / max(one, 1) * 2 / factor
    if two < CALLS_FLOOR or ratio <= MOST:
        return None
    return f"calls grow {ratio:.2f} times where the input doubles ({one}, {two})"


def _memory(call: Callable[[], object], length: int) -> str | None:
    held = measure.peak(call)
    if held <= MEMORY * length + MEMORY_FLOOR:
        return None
    return f"{held} bytes are held for an input of {length} ({held / length:.0f} times)"
