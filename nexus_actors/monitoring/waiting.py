"""Waiting requests: for what they wait, whose they are, and which are next."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nexus_actors.monitoring.reading import Reader

LOOKED_AT: Final = 10_000
"""The most requests that are read: from all lanes together, and of each other kind."""
NEXT: Final = 20
"""How many of the next requests are listed."""
FIXES: Final[Mapping[str, str]] = {
    "no_key": "nexus doctor --only keys --only providers; see docs/keys.md",
    "not_before": "nothing: it is retried then",
    "lost_node": "nothing: another node takes it when the lease lapses",
    "rate_limit": "raise the limit in the config, then nexus reload",
    "paused": "nexus resume …; nexus waiting --reason paused shows who paused it",
    "budget": "nexus budgets; raise it in the config, then nexus reload",
    "circuit_open": "nexus doctor --only providers; or pause it with fallback",
    "throttled": "fewer concurrent calls (nexus scale), or a higher limit at the provider",
    "provider_full": "more concurrent calls (nexus scale PROVIDER N), or another node",
}
"""What an operator can do about each reason to wait."""
OF_PROVIDER: Final = ("circuit_open", "throttled", "no_key", "rate_limit")
"""Reasons whose detail begins with the provider."""
_PROVIDER: Final = re.compile(r"(?:every key of provider )?([^/:\s]+)")
"""Matches the provider at the beginning of a detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Waiting requests with the same reason, or of the same agent."""

    name: str | None
    """The reason, as in nexus.waiting; or the agent."""
    detail: str | None
    lane: str | None
    """The provider for whose room they wait, or the pause whose end they wait for."""
    requests: int
    is_more: bool
    """Whether there are more than were counted."""
    since: datetime | None
    """Since when the oldest has waited."""
    until: datetime | None
    """When the first may be called again, if known."""

    @property
    def provider(self) -> str | None:
        """The provider whose room or recovery they wait for: the lane, or else the one at the
        beginning of the detail, as in `openai/gpt-5: it times out`. None if there is none."""
        if self.lane is not None or self.detail is None or self.name not in OF_PROVIDER:
            return self.lane
        found = _PROVIDER.match(self.detail)
        return None if found is None else found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A request that is among the next."""

    request_id: str
    place: int | None
    """Its place in its lane, from 1; None: it waits for a time, in no lane."""
    lane: str | None
    detail: str | None
    agent_id: str | None
    since: datetime | None
    until: datetime | None
    deadline: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Due:
    """Messages that a service could lease now. Most were never leased."""

    messages: int
    is_more: bool
    oldest: datetime | None
    """Since when the oldest has been due."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The waiting requests of a queue, as far as they were read."""

    reasons: Sequence[Group]
    agents: Sequence[Group]
    next: Sequence[Next]
    due: Due

    @property
    def is_more(self) -> bool:
        """Whether more are waiting than were counted."""
        return any(it.is_more for it in self.reasons)


async def read_waiting(reader: Reader) -> Waiting:
    """What is waiting. Reads at most `LOOKED_AT` requests of the lanes, and as many each of those
    that wait for a time, those of lost nodes, and those in the queue. Raises StorageError."""
    rows = await reader.read("waiting_scan", LOOKED_AT, NEXT)
    of_kind: dict[str, list[dict[str, Any]]] = {"reason": [], "agent": [], "next": [], "due": []}
    for row in rows:
        of_kind[row["kind"]].append(row)
    due = Due(0, False, None)
    if of_kind["due"]:
        [row] = of_kind["due"]
        due = Due(min(row["requests"], LOOKED_AT), row["is_more"], row["since"])
    return Waiting(
        reasons=[_group(it) for it in of_kind["reason"]],
        agents=[_group(it) for it in of_kind["agent"]],
        next=[_next(it) for it in of_kind["next"]],
        due=due,
    )


_GROUP: Final = ("name", "detail", "lane", "requests", "is_more", "since", "until")
_NEXT: Final = ("lane", "detail", "agent_id", "since", "until", "deadline", "attempts")


def _group(row: Mapping[str, Any]) -> Group:
    return Group(**{name: row[name] for name in _GROUP})


def _next(row: Mapping[str, Any]) -> Next:
    return Next(
        request_id=row["name"], place=row["requests"], **{name: row[name] for name in _NEXT}
    )
