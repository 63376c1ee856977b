"""A tab as data: lines above, tables below. All texts are printable, and never markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from nexus_actors.contract.shown_text import printable

LONGEST: Final = 400
"""The most characters of a cell."""
Order = float | str
STATES: Final = {
    "ready": "bold green",
    "ok": "green",
    "degraded": "bold yellow",
    "lost": "bold red",
    "failed": "bold red",
    "unknown": "bold yellow",
}
"""Colours of states, which are always shown as words too."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its least width in characters, its share of the remaining width."""

    name: str
    width: int
    share: int = 0
    right: bool = False


class Cell(Text):
    """A text in a table, and its sort key `order`."""

    def __init__(self, text: str, order: Order, style: str = "", *, right: bool = False) -> None:
        super().__init__(
            text,
            style,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if right else "left",
            end="",
        )
        self.order = order
        self.place = 0
        """The place of its row, if it is the row's first cell."""

    def same_as(self, other: "Cell") -> bool:
        """Whether it looks the same."""
        return self.plain == other.plain and self.style == other.style


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. `subject` is the snapshot or `ActorRow` that it shows."""

    key: str
    cells: Sequence[Cell]
    subject: object = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in the source's order."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str
    """The text that is shown if there are no rows."""
    follows: bool = False
    """Whether a cursor on the last row follows when rows are added."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The content of a tab."""

    lines: Sequence[Text]
    tables: Sequence[Table]


# --- cells ---


def word(value: object, style: str = "") -> Cell:
    """Foreign text."""
    text = "-" if value in (None, "") else printable(str(value), LONGEST)
    return Cell(text, text.casefold(), style)


def state(value: str) -> Cell:
    """A state, as a word and in its colour."""
    return word(value, STATES.get(value, ""))


def number(value: float | None, places: int = 0, style: str = "") -> Cell:
    """A number; an unknown one is sorted below all others."""
    if value is None:
        return Cell("-", -1.0, style, right=True)
    return Cell(f"{value:,.{places}f}", float(value), style, right=True)


def milliseconds(value: float | None) -> Cell:
    """A duration."""
    if value is None:
        return Cell("-", -1.0, right=True)
    text = f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
    return Cell(text, float(value), right=True)


def seconds(value: float | None) -> Cell:
    """An age."""
    return Cell("-" if value is None else age(value), -1.0 if value is None else value, right=True)


def moment(value: datetime | None) -> Cell:
    """A local time of day, or date and time if it is not today."""
    if value is None:
        return Cell("-", 0.0)
    local, today = value.astimezone(), datetime.now().astimezone().date()
    text = f"{local:%H:%M:%S}" if local.date() == today else f"{local:%m-%d %H:%M}"
    return Cell(text, value.timestamp())


def age(value: float) -> str:
    """Format seconds for people, in at most seven characters."""
    whole = int(value)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            rest, below = whole % size, {"d": (3600, "h"), "h": (60, "m"), "m": (1, "s")}[unit]
            return f"{whole // size}{unit}{rest // below[0]:02d}{below[1]}"[:7]
    return f"{whole}s"


def line(text: object, style: str = "") -> Text:
    """Foreign text on one line."""
    return Text(printable(str(text), LONGEST), style, no_wrap=True, overflow="ellipsis")


# --- which rows, in which order ---


def matching(rows: Sequence[Row], filter_: str) -> Sequence[Row]:
    """The rows that contain each word of the filter, ignoring case."""
    words = filter_.casefold().split()
    if not words:
        return rows
    texts = (" ".join(cell.plain for cell in row.cells).casefold() for row in rows)
    return [row for row, text in zip(rows, texts, strict=True) if all(it in text for it in words)]


def ordered(rows: Sequence[Row], column: int | None, *, reverse: bool) -> Sequence[Row]:
    """The rows sorted by a column, or in the source's order if it is None."""
    if column is None:
        return rows

    def order(row: Row) -> tuple[int, float, str]:
        value = row.cells[column].order
        return (1, 0.0, value) if isinstance(value, str) else (0, value, "")

    return sorted(rows, key=order, reverse=reverse)


def widths(columns: Sequence[Column], room: int, gap: int) -> list[int]:
    """The width of each column, in characters, within `room`. Each needs `gap` more."""
    left = max(room - sum(it.width + gap for it in columns), 0)
    shares = sum(it.share for it in columns)
    return [it.width + (left * it.share // shares if shares else 0) for it in columns]
