"""What requests wait for, whose they are, and which come next."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nexus_actors.monitoring.reading import Reader

LOOKED_AT: Final = 10_000
"""Requests that are read: in the lanes together, and of each other kind."""
NEXT: Final = 20
"""Requests that come next."""
MENDS: Final[Mapping[str, str]] = {
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
"""What helps against a reason to wait."""
OF_PROVIDER: Final = ("circuit_open", "throttled", "no_key", "rate_limit")
"""Reasons whose detail begins with the provider."""
_PROVIDER: Final = re.compile(r"(?:every key of provider )?([^/:\s]+)")
"""Where a detail has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Requests that wait for the same, or are one agent's."""

    name: str | None
    """The reason, as nexus.waiting has it; or the agent."""
    detail: str | None
    lane: str | None
    """The provider for whose room they wait, or the pause for whose end."""
    requests: int
    is_more: bool
    """Not all were counted."""
    since: datetime | None
    """Since when the oldest waits."""
    until: datetime | None
    """When the first may be called again, as far as is known."""

    @property
    def provider(self) -> str | None:
        """Whose room or recovery they wait for: the lane; else the one that the detail begins with,
        as in `openai/gpt-5: it times out`; None: none is told."""
        if self.lane is not None or self.detail is None or self.name not in OF_PROVIDER:
            return self.lane
        found = _PROVIDER.match(self.detail)
        return None if found is None else found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A request that comes soon."""

    request_id: str
    place: int | None
    """In its lane: 1 comes first; None: it waits for a moment, in no lane."""
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
    """Since when the first of them is due."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a queue, as far as was looked."""

    reasons: Sequence[Group]
    agents: Sequence[Group]
    next: Sequence[Next]
    due: Due

    @property
    def is_more(self) -> bool:
        """Whether more wait than were counted."""
        return any(it.is_more for it in self.reasons)


async def read_waiting(reader: Reader) -> Waiting:
    """What waits. Reads `LOOKED_AT` requests of the lanes at most, and as many of what waits for a
    moment, of what a lost node had, and of the queue. Raises StorageError."""
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
