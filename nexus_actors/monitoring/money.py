"""What calls cost: by day, by agent, by provider, by model; what budgets leave; what nobody knows.

It is read from the sums of the roll-up; from the journal only what ended since. Of one day there
may be thousands of rows: as many days are read as there is time for, and one that is summed for
good is kept.
"""

import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import trio

from nexus_actors.contract.shown_text import json_text
from nexus_actors.monitoring.reading import Reader
from nexus_actors.monitoring.recent import MOST_RECENT
from nexus_actors.settings.model import BudgetSettings
from nexus_actors.storage.postgres.journal import read_spending

DAYS: Final = 30
TOP: Final = 20
"""Names of each kind that are listed; the others are one line."""
MOST_NAMES: Final = 1_000
"""Names of each kind that are told apart in a day, as in the roll-up."""
OTHERS: Final = "(others)"
PATIENCE: Final = 0.1
"""Seconds for days that are not kept yet; the rest comes with the next look."""
EARLY: Final = 1 / 24
"""Of a period: before, what was spent says nothing of its end."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")

Kind = Literal["agent", "provider", "model"]
KINDS: Final[tuple[Kind, ...]] = ("agent", "provider", "model")


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls and what they cost."""

    dollars: float = 0.0
    """Of those whose cost is known."""
    calls: int = 0
    unknown: int = 0
    """Calls that were or may have been paid, and nobody knows how much."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.dollars + other.dollars, self.calls + other.calls, self.unknown + other.unknown
        )


@dataclass(frozen=True, slots=True)
class Day:
    """One day, UTC."""

    begins_at: datetime
    spent: Spent


@dataclass(frozen=True, slots=True)
class Line:
    """One agent, provider or model."""

    name: str
    """Empty: none was given."""
    provider: str
    """Of a model."""
    spent: Spent
    share: float | None
    """Of the dollars of all."""
    names: int = 1
    """How many the line stands for, at least."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model whose calls have no known cost."""

    provider: str
    model: str
    calls: int
    mend: str
    """The lines of a config that give it a price; empty where the model is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget in its day or month. US dollars."""

    name: str
    counts: str
    """Whose calls, in words."""
    per: str
    dollars: float
    spent: float
    reserved: float
    left: float
    begins_at: datetime
    renews_at: datetime
    forecast: float | None
    """Spent at the period's end, if it goes on as it has since the period began; None: it is too
    early to tell."""
    ends_at: datetime | None
    """When nothing would be left then; None where that is not within the period."""
    state: Literal["ok", "tight", "spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the page shows."""

    days: Sequence[Day]
    """The last `DAYS`, the earliest first, none left out."""
    total: Spent
    """Of the period that was asked for."""
    groups: Mapping[Kind, Sequence[Line]]
    unpriced: Sequence[Unpriced]
    until: datetime | None
    """All before it is summed; None: nothing is yet."""
    since: datetime | None
    """The earliest that is summed."""
    missing: Sequence[datetime]
    """Days of the period that were not read yet, for want of time."""
    is_complete: bool
    """Whether the tables have all calls of the period."""


_Key = tuple[Kind, str, str]
"""The kind, the provider of a model, the name."""
_Sums = Mapping[_Key, Spent]


@dataclass(slots=True)
class _Kept:
    """Days that were read, by their beginning; with what they were read under."""

    days: dict[datetime, tuple[object, _Sums]] = field(default_factory=dict)


_KEPT: "weakref.WeakKeyDictionary[Reader, _Kept]" = weakref.WeakKeyDictionary()
"""For each reader, `DAYS` days at most."""


async def read_money(
    reader: Reader, *, days: int, now: datetime, patience: float = PATIENCE
) -> Money:
    """The last `days` days (UTC, today among them), by who and what they were for; and the last
    `DAYS` in sum. `patience`: seconds after which no further day is begun that is not kept. Raises
    StorageError."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = [today - timedelta(days=place) for place in range(DAYS)]
    rows = await reader.read("money_days", wanted[-1])
    by_day = {row["day"]: _spent(row) for row in rows}
    progress = await reader.read("money_progress")
    sums: list[_Sums] = []
    missing: list[datetime] = []
    since = until = None
    for row in progress:
        since, until = row["hours_since"], max(row["minutes_until"], row["hours_until"])
        sums, missing = await _read_days(reader, wanted[:days], row, patience)
    for day, recent in (await _read_recent(reader, wanted[-1])).items():
        by_day[day] = sum(
            (spent for key, spent in recent.items() if key[0] == "provider"),
            by_day.get(day, Spent()),
        )
        if day in wanted[:days]:
            sums.append(recent)
    # Some ten thousand additions where there are a thousand agents: not on the loop.
    groups, unpriced = await trio.to_thread.run_sync(_grouped, sums)
    return Money(
        days=_days(wanted, by_day),
        total=sum((by_day.get(it, Spent()) for it in wanted[:days]), Spent()),
        groups=groups,
        unpriced=unpriced,
        until=until,
        since=since,
        missing=missing,
        is_complete=since is not None and not missing and since <= wanted[days - 1],
    )


async def read_budgets(reader: Reader, budgets: Mapping[str, BudgetSettings]) -> list[Budget]:
    """Those of the config, in their order. Raises StorageError."""
    if not budgets:
        return []
    names, periods = list(budgets), [it.per for it in budgets.values()]
    rows: list[dict[str, Any]] = await reader.reading(read_spending, names, periods)
    return [reckoned(row, budgets[row["name"]]) for row in rows]


async def _read_recent(reader: Reader, since: datetime) -> dict[datetime, dict[_Key, Spent]]:
    """What no sum has yet, by day: of the newest requests, from the journal."""
    found: dict[datetime, dict[_Key, Spent]] = {}
    for row in await reader.read("money_recent", since, MOST_RECENT):
        key: _Key = (row["kind"], row["provider"], row["name"])
        found.setdefault(row["day"], {})[key] = _spent(row)
    return found


async def _read_days(
    reader: Reader, wanted: Sequence[datetime], progress: Mapping[str, datetime], patience: float
) -> tuple[list[_Sums], list[datetime]]:
    """The sums of the days, and those for which there was no time, the newest first."""
    kept = _KEPT.setdefault(reader, _Kept()).days
    for day in [it for it in kept if it <= wanted[0] - timedelta(days=DAYS)]:
        del kept[day]
    stamps = {day: _stamp(day, progress) for day in wanted}
    left = [day for day in wanted if day not in kept or kept[day][0] != stamps[day]]
    deadline = trio.current_time() + patience
    most = 1
    while left and trio.current_time() < deadline:
        days, left = left[:most], left[most:]
        found: dict[datetime, dict[_Key, Spent]] = {day: {} for day in days}
        for row in await reader.read("money_names", days, MOST_NAMES):
            found[row["day"]][row["kind"], row["provider"], row["name"]] = _spent(row)
        kept.update({day: (stamps[day], sums) for day, sums in found.items()})
        most *= 2  # as long again as what was read so far, about
    return [kept[day][1] for day in wanted if day not in left], left


def _stamp(day: datetime, progress: Mapping[str, datetime]) -> object:
    """While it stays the same, so do the day's sums."""
    if progress["hours_since"] <= day and day + timedelta(days=1) <= progress["hours_until"]:
        return "for good"
    return tuple(progress[name] for name in ("minutes_until", "hours_until", "hours_since"))


def _grouped(days: Sequence[_Sums]) -> tuple[dict[Kind, Sequence[Line]], list[Unpriced]]:
    merged = _merged(days)
    return {kind: _lines(kind, merged) for kind in KINDS}, _unpriced(merged)


def _merged(days: Sequence[_Sums]) -> dict[_Key, Spent]:
    merged: dict[_Key, Spent] = {}
    for sums in days:
        for key, spent in sums.items():
            known = merged.get(key)
            merged[key] = spent if known is None else known + spent
    return merged


def _lines(kind: Kind, merged: Mapping[_Key, Spent]) -> list[Line]:
    """The `TOP` that cost most; then all others in one line."""
    mine = [(key, spent) for key, spent in merged.items() if key[0] == kind]
    total = sum(spent.dollars for _, spent in mine)
    mine.sort(key=lambda it: (it[0][2] == OTHERS, -it[1].dollars, -it[1].unknown, it[0]))
    listed = [it for it in mine[:TOP] if it[0][2] != OTHERS]
    others = mine[len(listed) :]
    lines = [
        Line(name, provider, spent, _share(spent, total)) for (_, provider, name), spent in listed
    ]
    if others:
        rest = sum((spent for _, spent in others), Spent())
        lines.append(Line(OTHERS, "", rest, _share(rest, total), len(others)))
    return lines


def _unpriced(merged: Mapping[_Key, Spent]) -> list[Unpriced]:
    found = [
        Unpriced(provider, name, spent.unknown, _mend(provider, name))
        for (kind, provider, name), spent in merged.items()
        if kind == "model" and spent.unknown
    ]
    return sorted(found, key=lambda it: (-it.calls, it.provider, it.model))[:TOP]


def _mend(provider: str, model: str) -> str:
    """JSON's texts are TOML's."""
    if not provider or not model:  # a call that was cut off, of which no more is known
        return ""
    name = provider if _BARE.fullmatch(provider) else json_text(provider)
    return (
        f"[providers.{name}]\n"
        f"models.{json_text(model)} = {{ input_price = …, output_price = … }}"
        "  # US dollars per million tokens"
    )


def reckoned(row: Mapping[str, Any], budget: BudgetSettings) -> Budget:
    """A budget's state and forecast from what `read_spending` says of it."""
    whose = [f"{name} {value}" for name, value in _whose(budget) if value]
    length = row["renews_at"] - row["begins_at"]
    spent, share = row["spent"], row["seconds"] / length.total_seconds()
    left = max(budget.dollars - spent - row["reserved"], 0.0)
    forecast = spent / share if share >= EARLY else None
    ends_at = None
    if forecast is not None and spent < budget.dollars < forecast:
        ends_at = row["begins_at"] + timedelta(seconds=row["seconds"] * budget.dollars / spent)
    is_tight = ends_at is not None or left < 0.1 * budget.dollars
    return Budget(
        name=row["name"],
        counts=", ".join(whose) or "all calls",
        per=budget.per,
        dollars=budget.dollars,
        spent=spent,
        reserved=row["reserved"],
        left=left,
        begins_at=row["begins_at"],
        renews_at=row["renews_at"],
        forecast=forecast,
        ends_at=ends_at,
        state="spent" if spent >= budget.dollars else "tight" if is_tight else "ok",
    )


def _whose(budget: BudgetSettings) -> tuple[tuple[str, str | None], ...]:
    return ("agent", budget.agent), ("provider", budget.provider)


def _days(wanted: Sequence[datetime], by_day: Mapping[datetime, Spent]) -> list[Day]:
    return [Day(day, by_day.get(day, Spent())) for day in reversed(wanted)]


def _spent(row: Mapping[str, Any]) -> Spent:
    return Spent(row["dollars"], row["calls"], row["unknown"])


def _share(spent: Spent, total: float) -> float | None:
    return spent.dollars / total if total else None
