"""What a page is given and what it gives back. Pages know this, never HTTP."""

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
    """What was asked for cannot be shown; the message is a line for whoever asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks."""

    name: str
    """Of `[dashboard.tokens]`; `local` where the connection itself is what lets him in."""
    role: Role

    @property
    def may_operate(self) -> bool:
        """Whether he may act."""
        return self.role == "operate"

    @property
    def by(self) -> str:
        """As whom the audit has him."""
        return f"{self.name} via dashboard"


def why_no_messages(viewer: Viewer, settings: Settings) -> str | None:
    """Why somebody may not see what was asked and answered; None: he may."""
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
    """What stands in the path where the page's has `{…}`."""

    def check_messages(self) -> None:
        """Raises PageError where he may not see what was asked and answered."""
        told = why_no_messages(self.viewer, self.settings)
        if told is not None:
            raise PageError(403, told)

    def text(self, name: str, default: str = "") -> str:
        """A value of the query string, without blanks around it."""
        return self.query.get(name, default).strip()

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number of the query string. Raises PageError where it is none in the bounds."""
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
        """One of `choices`; `default` where there is none. Raises PageError for another."""
        text = self.text(name)
        if not text:
            return default
        if text not in choices:
            found = printable(text, 40)
            raise PageError(400, f"{name}={found}: expected one of {', '.join(choices)}")
        return text


@dataclass(frozen=True, slots=True)
class View:
    """What is to be shown."""

    template: str
    """`NAME.html` in templates."""
    title: str
    values: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


Show = Callable[[Visit], Awaitable[View]]
"""A page. Raises PageError for what cannot be asked, StorageError where the database does not
answer; cancelled, it leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page is found."""

    path: str
    """As Starlette has paths: `/letters`, `/x/{name}`."""
    label: str | None
    """In the navigation; None: it is not there."""
    show: Show
    query: tuple[str, ...] = ()
    """The names of its query string that it reads."""
    live: bool = False
    """Its block `live` is renewed while somebody looks."""
    under: str | None = None
    """The path of the page in the navigation that it belongs to."""
