"""Costs of calls by day, agent, provider and model; calls of unknown cost; the state of budgets.

Costs come from the sums of the roll-up, and from the journal for what ended since. One day may have
thousands of rows, so as many days are read as time allows, and a day whose sums are final is
cached.
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
"""The most names listed of each kind. The others share one line."""
MOST_NAMES: Final = 1_000
"""The most names of each kind in the sums of a day, as in the roll-up."""
OTHERS: Final = "(others)"
PATIENCE: Final = 0.1
"""Seconds for reading days that are not cached. Later calls read the rest."""
EARLY: Final = 1 / 24
"""Share of a period before which no forecast is made."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")

Kind = Literal["agent", "provider", "model"]
KINDS: Final[tuple[Kind, ...]] = ("agent", "provider", "model")


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls and what they cost."""

    dollars: float = 0.0
    """The known costs of these calls."""
    calls: int = 0
    unknown: int = 0
    """Calls that were or may have been paid, at an unknown cost."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.dollars + other.dollars, self.calls + other.calls, self.unknown + other.unknown
        )


@dataclass(frozen=True, slots=True)
class Day:
    """One day, in UTC."""

    begins_at: datetime
    spent: Spent


@dataclass(frozen=True, slots=True)
class Line:
    """One agent, provider or model; or all others together."""

    name: str
    """Empty if the requests gave none."""
    provider: str
    """For a model; otherwise empty."""
    spent: Spent
    share: float | None
    """Its share of all dollars, of 1."""
    names: int = 1
    """How many names the line stands for, at least."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model whose calls have no known cost."""

    provider: str
    model: str
    calls: int
    fix: str
    """Lines of the config that give it a price; empty if the model is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget in its current day or month. US dollars."""

    name: str
    counts: str
    """Which calls count, in words."""
    per: str
    dollars: float
    spent: float
    reserved: float
    left: float
    begins_at: datetime
    renews_at: datetime
    forecast: float | None
    """Spending at the period's end at the average rate since it began; None if it is too early to
    tell."""
    ends_at: datetime | None
    """When the budget would be used up at that rate; None if not within the period."""
    state: Literal["ok", "tight", "spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the page shows."""

    days: Sequence[Day]
    """The last `DAYS` days without gaps, earliest first."""
    total: Spent
    """Of the requested period."""
    groups: Mapping[Kind, Sequence[Line]]
    unpriced: Sequence[Unpriced]
    until: datetime | None
    """End of what is summed; None if nothing is."""
    since: datetime | None
    """Beginning of what is summed."""
    missing: Sequence[datetime]
    """Days of the period that there was no time to read."""
    is_complete: bool
    """Whether the tables cover all calls of the period."""


_Key = tuple[Kind, str, str]
"""The kind, the provider of a model, the name."""
_Sums = Mapping[_Key, Spent]


@dataclass(slots=True)
class _Kept:
    """A cache of days by their beginning, each with the stamp under which it was read."""

    days: dict[datetime, tuple[object, _Sums]] = field(default_factory=dict)


_KEPT: "weakref.WeakKeyDictionary[Reader, _Kept]" = weakref.WeakKeyDictionary()
"""The caches of each reader, at most `DAYS` days each."""


async def read_money(
    reader: Reader, *, days: int, now: datetime, patience: float = PATIENCE
) -> Money:
    """Costs of the last `days` days (UTC, including today) by agent, provider and model, and the
    totals of the last `DAYS` days. After `patience` seconds no further uncached day is read. Raises
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
    # A thousand agents need some ten thousand additions: not on the event loop.
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
    """The budgets of the config, in its order. Raises StorageError."""
    if not budgets:
        return []
    names, periods = list(budgets), [it.per for it in budgets.values()]
    rows: list[dict[str, Any]] = await reader.reading(read_spending, names, periods)
    return [reckoned(row, budgets[row["name"]]) for row in rows]


async def _read_recent(reader: Reader, since: datetime) -> dict[datetime, dict[_Key, Spent]]:
    """The newest requests that are in no sum yet, from the journal, by day."""
    found: dict[datetime, dict[_Key, Spent]] = {}
    for row in await reader.read("money_recent", since, MOST_RECENT):
        key: _Key = (row["kind"], row["provider"], row["name"])
        found.setdefault(row["day"], {})[key] = _spent(row)
    return found


async def _read_days(
    reader: Reader, wanted: Sequence[datetime], progress: Mapping[str, datetime], patience: float
) -> tuple[list[_Sums], list[datetime]]:
    """The sums of the days that were read, and the days for which there was no time."""
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
        most *= 2  # takes about as long as everything so far
    return [kept[day][1] for day in wanted if day not in left], left


def _stamp(day: datetime, progress: Mapping[str, datetime]) -> object:
    """A day's sums stay the same as long as this value does."""
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
    """The `TOP` most expensive ones, then one line for all others."""
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
        Unpriced(provider, name, spent.unknown, _fix(provider, name))
        for (kind, provider, name), spent in merged.items()
        if kind == "model" and spent.unknown
    ]
    return sorted(found, key=lambda it: (-it.calls, it.provider, it.model))[:TOP]


def _fix(provider: str, model: str) -> str:
    """JSON strings are valid in TOML."""
    if not provider or not model:  # an interrupted call
        return ""
    name = provider if _BARE.fullmatch(provider) else json_text(provider)
    return (
        f"[providers.{name}]\n"
        f"models.{json_text(model)} = {{ input_price = …, output_price = … }}"
        "  # US dollars per million tokens"
    )


def reckoned(row: Mapping[str, Any], budget: BudgetSettings) -> Budget:
    """A budget's state and forecast from a row of `read_spending`."""
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
