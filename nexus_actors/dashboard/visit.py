"""The input and output of pages. Pages know this module, never HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from nexus_actors.contract.shown_text import printable
from nexus_actors.monitoring.reading import Reader
from nexus_actors.settings.model import Settings

LONGEST_VALUE: Final = 2_000
"""Characters of one value of a query string."""
MOST_VALUES: Final = 40
"""Names in a query string."""

Role = Literal["read", "operate"]


class PageError(Exception):
    """The page cannot be shown; the message is one line for the viewer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who views a page."""

    name: str
    """A name of `[dashboard.tokens]`, or `local` for a caller on this machine without a token."""
    role: Role

    @property
    def may_operate(self) -> bool:
        """Whether the viewer may act."""
        return self.role == "operate"

    @property
    def by(self) -> str:
        """The viewer's name in the audit."""
        return f"{self.name} via dashboard"


def why_no_messages(viewer: Viewer, settings: Settings) -> str | None:
    """Why the viewer may not see requests and answers; None if that is allowed."""
    if not viewer.may_operate:
        return "Messages are shown only to those who may act."
    if not settings.dashboard.show_messages:
        return "Messages are shown only if [dashboard] show_messages is true."
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for a page."""

    path: str
    query: Mapping[str, str]
    """The first value of each name; bounded in number and length."""
    viewer: Viewer
    reader: Reader
    settings: Settings
    now: datetime
    """UTC."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The values of the parameters `{…}` in the page's path."""

    def check_messages(self) -> None:
        """Raises PageError if the viewer may not see requests and answers."""
        refusal = why_no_messages(self.viewer, self.settings)
        if refusal is not None:
            raise PageError(403, refusal)

    def text(self, name: str, default: str = "") -> str:
        """A value of the query string, stripped."""
        return self.query.get(name, default).strip()

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number of the query string. Raises PageError unless it is within the bounds."""
        text = self.text(name)
        if not text:
            return default
        try:
            value = int(text) if text.isascii() else None
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            found = printable(text, 40)
            raise PageError(400, f"{name}={found}: expected a whole number, {least} to {most}")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str = "") -> str:
        """One of `choices`, or `default` if it is missing. Raises PageError for other values."""
        text = self.text(name)
        if not text:
            return default
        if text not in choices:
            found = printable(text, 40)
            raise PageError(400, f"{name}={found}: expected one of {', '.join(choices)}")
        return text


@dataclass(frozen=True, slots=True)
class View:
    """What to show."""

    template: str
    """The name of a file in `templates`."""
    title: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


Show = Callable[[Visit], Awaitable[View]]
"""Builds a page. Raises PageError for an invalid request, and StorageError if the database does not
answer. If cancelled, it leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its address."""

    path: str
    """In Starlette's form: `/letters`, `/x/{name}`."""
    label: str | None
    """The label in the navigation; None if the page is not there."""
    show: Show
    query: tuple[str, ...] = ()
    """The query parameters that it reads."""
    live: bool = False
    """Whether its block `live` is updated while it is viewed."""
    under: str | None = None
    """The path of the page in the navigation that it belongs to."""
