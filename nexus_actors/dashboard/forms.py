"""The fields of an action's form, and the validation of their values."""

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
"""Characters of a one-line field."""
PREVIEW_TIMEOUT: Final = 3.0
"""Seconds for finding out what an action will affect, before it is confirmed."""
LONGEST_AREA: Final = 2 * EDITABLE
"""Characters of a multi-line field: the longest editable request, and its indentation."""

Values = Mapping[str, str]
"""The values of a form by field; a box that is not ticked has none."""


class FormError(ValueError):
    """A value is invalid; the message is one line for the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form."""

    name: str
    label: str
    kind: Literal["text", "number", "choice", "tick", "area", "hidden"] = "text"
    choices: tuple[str, ...] = ()
    """For the kind `choice`; the empty string stands for no choice."""
    hint: str = ""
    required: bool = False
    longest: int = LONGEST_TEXT
    folds: bool = False
    """Whether it is hidden if the link to the form has its value, which the question names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionForm:
    """An action with its form."""

    title: str
    """The title of the page and text of the button, such as `Pause`."""
    fields: tuple[Field, ...]
    make: Callable[[Values], Action]
    """Raises FormError."""
    is_dangerous: bool = False
    """Whether it ends something that cannot be restored."""
    fill: Callable[[Reader, Values, str], Awaitable[Values]] | None = None
    """Gives initial values for fields that the link does not set. The last argument is the viewer,
    for the audit. Raises StorageError, and PageError if the action is impossible."""
    shows_messages: bool = False
    """Whether its form shows messages, which needs `[dashboard] show_messages`."""
    back: str = "/"
    """Where to go afterwards, unless the link says otherwise."""
    ends: str = ""
    """A prefix of addresses that do not exist after the action, so that none is returned to."""

    @property
    def longest_body(self) -> int:
        """The most bytes of the form's body."""
        return 2 * LONGEST_AREA if self.has_area else LONGEST_FORM

    @property
    def has_area(self) -> bool:
        """Whether a field has several lines, so that its value may be long."""
        return any(it.kind == "area" for it in self.fields)


def checked(action_form: ActionForm, given: Values) -> dict[str, str]:
    """The values of the form's fields. Raises FormError if one is too long, missing, or not one of
    its choices."""
    found: dict[str, str] = {}
    for field in action_form.fields:
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
    """A text, or None if it is empty."""
    return values.get(name) or None


def ticked(values: Values, name: str) -> bool:
    """Whether a box is ticked."""
    return bool(values.get(name))


def whole(values: Values, name: str, label: str, *, least: int, most: int) -> int | None:
    """A whole number, or None if it is empty. Raises FormError."""
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
    """The moment in the field `until`, in UTC unless it names a time zone; None if it is empty.
    Raises FormError."""
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
