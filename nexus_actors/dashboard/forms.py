"""The fields of an action's form: what they take, and what is wrong with what was sent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from nexus_actors.contract.moments import EXPECTED, moment
from nexus_actors.contract.shown_text import printable
from nexus_actors.dashboard.bodies import LONGEST_FORM
from nexus_actors.monitoring.actions import Action
from nexus_actors.monitoring.letters import EDITABLE
from nexus_actors.monitoring.reading import Reader

LONGEST_TEXT: Final = 1_000
"""Characters of a field of one line."""
PREVIEW_TIMEOUT: Final = 3.0
"""Seconds to look what an action is about, before it is asked."""
LONGEST_AREA: Final = 2 * EDITABLE
"""Characters of one of many lines: what may be edited, with its lines indented."""

Values = Mapping[str, str]
"""What a form has sent, by the names of its fields; a box that is not ticked is not in it."""


class FormError(ValueError):
    """What was sent cannot be meant; the message is a line for whoever sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of a form's."""

    name: str
    label: str
    kind: Literal["text", "number", "choice", "tick", "area", "hidden"] = "text"
    choices: tuple[str, ...] = ()
    """Of `choice`; an empty one is for none."""
    hint: str = ""
    required: bool = False
    longest: int = LONGEST_TEXT
    folds: bool = False
    """It is not asked again where the link to the form has said it: the question names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An action that a form asks for."""

    title: str
    """Such as `Pause`: of the page, and of the button."""
    fields: tuple[Field, ...]
    make: Callable[[Values], Action]
    """Raises FormError."""
    is_dangerous: bool = False
    """What it ends does not come back."""
    fill: Callable[[Reader, Values, str], Awaitable[Values]] | None = None
    """What the fields hold at first, beside what the link to it says, for whom the last argument
    names. Raises StorageError, and PageError where there is nothing to be asked."""
    shows_messages: bool = False
    """Its form shows what was asked: it is there where `[dashboard] show_messages` is."""
    back: str = "/"
    """Where to go afterwards, unless the link says so."""
    ends: str = ""
    """How the address of the page begins that is not there any more afterwards: nobody is led back
    to it."""

    @property
    def longest_body(self) -> int:
        """Bytes of a form that is sent."""
        return 2 * LONGEST_AREA if self.has_area else LONGEST_FORM

    @property
    def has_area(self) -> bool:
        """Whether a text of many lines is sent, which may be long."""
        return any(it.kind == "area" for it in self.fields)


def checked(act: Act, given: Values) -> dict[str, str]:
    """The values of its fields. Raises FormError for a field that is too long, or lacking, or none
    of its choices."""
    found: dict[str, str] = {}
    for field in act.fields:
        text = given.get(field.name, "")
        if field.kind not in ("area", "hidden"):
            text = text.strip()
        if "\0" in text:
            raise FormError(f"{field.label}: expected no NUL character")
        longest = LONGEST_AREA if field.kind == "area" else field.longest
        if len(text) > longest:
            raise FormError(f"{field.label}: expected {longest:,} characters at most")
        if field.kind == "choice" and text and text not in field.choices:
            expected = ", ".join(it for it in field.choices if it)
            raise FormError(f"{field.label}: expected one of {expected}, not {printable(text, 40)}")
        if field.required and not text:
            raise FormError(f"{field.label}: expected a value")
        if text:
            found[field.name] = text
    return found


def optional(values: Values, name: str) -> str | None:
    """A text, or None where there is none."""
    return values.get(name) or None


def ticked(values: Values, name: str) -> bool:
    """Whether a box is."""
    return bool(values.get(name))


def whole(values: Values, name: str, label: str, *, least: int, most: int) -> int | None:
    """A whole number, or None where there is none. Raises FormError."""
    text = values.get(name)
    if not text:
        return None
    expected = f"{label}: expected a whole number from {least:,} to {most:,}"
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        raise FormError(f"{expected}, not {printable(text, 40)}")
    number = int(text)
    if not least <= number <= most:
        raise FormError(f"{expected}, not {number:,}")
    return number


def until(values: Values) -> datetime | None:
    """The moment of the field `until`; a time of day, and one without a zone, is UTC. Raises
    FormError."""
    text = values.get("until")
    if not text:
        return None
    now = datetime.now(UTC)
    try:
        found = moment(text, now)
    except (ValueError, OverflowError):
        where = EXPECTED.replace(" here", ", UTC")
        raise FormError(f"Until: expected {where}, not {printable(text, 40)}") from None
    if found <= now:
        raise FormError("Until: expected a time to come")
    return found


UNTIL: Final = Field(
    name="until",
    label="Until",
    hint="30m, 2h, 1d, 18:30 (UTC), 2026-01-31T18:30Z; empty: until it is resumed",
    longest=40,
)
WHY: Final = Field(name="why", label="Why", hint="for whoever asks; it stays on record")
NODE: Final = Field(name="node", label="Node", hint="its id, name or host; empty: all", longest=255)
