"""Requests by what is true of them: a page of them, and how many there are of each value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from nexus_actors.monitoring.reading import Reader, parsed

LIVE: Final = ("waiting", "queued", "leased")
STATES: Final = (*LIVE, "failed", "done")
LOOKED_AT: Final = 10_001
"""Requests of a kind that are read at most, so that counts are exact up to one less."""
EXACT: Final = LOOKED_AT - 1
PAGE: Final = 50
IDS_LOOKED_AT: Final = 1_000
"""Ids that are read for one that begins like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which requests are meant: those that everything given is true of."""

    since: datetime
    """When they ended, at the earliest. What has not ended is among them where `until` is None."""
    until: datetime | None = None
    """When they ended, at the latest; None: until now."""
    state: str | None = None
    agent: str | None = None
    task: str | None = None
    provider: str | None = None
    """That answered, or failed last; of one that waits, for whose room."""
    model: str | None = None
    error: str | None = None
    least_cost: Decimal | None = None
    """US dollars."""


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before."""

    ended_at: datetime | None
    """None: it has not ended."""
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request in a list. Its texts are cut to 256 characters."""

    request_id: str
    state: str
    agent_id: str | None
    task_type: str | None
    provider: str | None
    model: str | None
    error_type: str | None
    received_at: datetime
    leased_at: datetime
    ended_at: datetime | None
    cost: Decimal | None
    """US dollars."""
    attempts: int
    latency_ms: int | None
    wait_reason: str | None


@dataclass(frozen=True, slots=True)
class Kind:
    """Requests that were read together."""

    name: str
    """`waiting`, `queued`, `leased`; `ended`, or `failed` of these alone."""
    requests: int
    oldest: datetime | None
    """When the first of them ended; None where they have not."""

    @property
    def is_all(self) -> bool:
        """Whether there are no more of it."""
        return self.requests < LOOKED_AT


@dataclass(frozen=True, slots=True)
class Found:
    """What is true of the filter, as far as was looked."""

    requests: Sequence[Request]
    """A page: those that have not ended, then those that ended last."""
    matching: int
    counts: Mapping[str, Mapping[str, int]]
    """By `state`, `agent`, `task`, `provider`, `model` and `error`: how many there are of each
    value beside all other filters, the twenty that are most."""
    kinds: Sequence[Kind]
    in_lane: int = 0
    """How many of the matching wait for room at the provider that is filtered by."""

    @property
    def next_page(self) -> After | None:
        """Where the next page goes on; None: this was the last."""
        if len(self.requests) < PAGE:
            return None
        last = self.requests[-1]
        return After(last.ended_at, last.request_id)


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all requests that ended in some full hours."""

    since: datetime
    until: datetime
    requests: int
    failed: int
    cost: Decimal
    """US dollars, as far as they are known."""


async def read_totals(reader: Reader, which: Filter) -> Totals | None:
    """Of the hours of a filter that are summed already; None where it filters by more than time and
    state, or none of them is. Raises StorageError."""
    told = (which.agent, which.task, which.provider, which.model, which.error, which.least_cost)
    if any(it is not None for it in told):
        return None
    [row] = await reader.read("requests_totals", which.since, which.until)
    return None if row["since"] is None else Totals(**row)


async def read_requests(
    reader: Reader, which: Filter, after: After | None = None, *, most: int = PAGE
) -> Found:
    """A page of those, `most` of them, and the counts. Reads `LOOKED_AT` requests of each kind at
    most. Raises StorageError."""
    cursor = None if after is None else after.ended_at or "infinity"
    rows = await reader.read(
        "requests_scan",
        *(which.state, which.agent, which.task, which.provider, which.model, which.error),
        *(which.since, which.until, which.least_cost),
        *(None if cursor is None else str(cursor), None if after is None else after.request_id),
        *(most, LOOKED_AT),
    )
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["kind"] == "facet":
            counts.setdefault(row["name"], {})[row["value"]] = row["requests"]
    page = sorted((row for row in rows if row["kind"] == "request"), key=lambda it: it["requests"])
    return Found(
        requests=[_request(row) for row in page],
        matching=next(row["requests"] for row in rows if row["kind"] == "match"),
        in_lane=next(row["requests"] for row in rows if row["kind"] == "lane"),
        counts=counts,
        kinds=[
            Kind(row["name"], row["requests"], row["at"]) for row in rows if row["kind"] == "source"
        ],
    )


async def find_ids(reader: Reader, begin: str) -> list[Request]:
    """The request of this id, then those whose ids begin so, up to `PAGE`; of the `IDS_LOOKED_AT`
    that come next in order. Raises StorageError."""
    rows = await reader.read("requests_by_id", begin, IDS_LOOKED_AT, PAGE)
    return [_request(row) for row in rows]


async def count_due(reader: Reader) -> int:
    """Messages in the queue that a service could lease now, up to `LOOKED_AT`: requests that nobody
    has leased yet, and those that were given back. Raises StorageError."""
    [row] = await reader.read("requests_due", LOOKED_AT)
    return int(row["requests"])


def _request(row: Mapping[str, Any]) -> Request:
    told: dict[str, Any] = parsed(row["request"])
    for name in ("received_at", "leased_at"):
        told[name] = datetime.fromisoformat(told[name])
    told["cost"] = None if told["cost"] is None else Decimal(told["cost"])
    return Request(request_id=row["value"], ended_at=row["at"], **told)
