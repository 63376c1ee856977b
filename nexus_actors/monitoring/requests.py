"""Search for requests by a filter: one page of them, and how many have each value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from nexus_actors.monitoring.reading import Reader, parsed

LIVE: Final = ("waiting", "queued", "leased")
STATES: Final = (*LIVE, "failed", "done")
LOOKED_AT: Final = 10_001
"""The most requests read of each kind. Counts are exact up to one less."""
EXACT: Final = LOOKED_AT - 1
PAGE: Final = 50
IDS_LOOKED_AT: Final = 1_000
"""The most ids that are read when searching for a prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which requests are meant: those to which all given fields apply."""

    since: datetime
    """The earliest end. If `until` is None, requests that have not ended are included."""
    until: datetime | None = None
    """The latest end; None: now."""
    state: str | None = None
    agent: str | None = None
    task: str | None = None
    provider: str | None = None
    """The last one that was called; if the request waits, the one for whose room it waits."""
    model: str | None = None
    error: str | None = None
    least_cost: Decimal | None = None
    """US dollars."""


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the previous page."""

    ended_at: datetime | None
    """None if it has not ended."""
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
    """A kind of requests that are read together."""

    name: str
    """`waiting`, `queued`, `leased`; `ended`, or `failed` if only failed ones are read."""
    requests: int
    oldest: datetime | None
    """The earliest end among them; None if they have not ended."""

    @property
    def is_all(self) -> bool:
        """Whether all requests of this kind were read."""
        return self.requests < LOOKED_AT


@dataclass(frozen=True, slots=True)
class Found:
    """The requests of a filter, among those that were read."""

    requests: Sequence[Request]
    """A page: requests that have not ended, then ended ones, newest first."""
    matching: int
    counts: Mapping[str, Mapping[str, int]]
    """For each of `state`, `agent`, `task`, `provider`, `model` and `error`: the twenty most
    frequent values with their counts, under all filters but its own."""
    kinds: Sequence[Kind]
    in_lane: int = 0
    """How many of the matching requests wait for room at the provider of the filter."""

    @property
    def next_page(self) -> After | None:
        """Where the next page begins; None if this was the last."""
        if len(self.requests) < PAGE:
            return None
        last = self.requests[-1]
        return After(last.ended_at, last.request_id)


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of all requests that ended in a range of full hours."""

    since: datetime
    until: datetime
    requests: int
    failed: int
    cost: Decimal
    """US dollars, as far as costs are known."""


async def read_totals(reader: Reader, which: Filter) -> Totals | None:
    """Totals for the hours of a filter that are already summed. None if there are none, or the
    filter has more than times and a state. Raises StorageError."""
    filters = (which.agent, which.task, which.provider, which.model, which.error, which.least_cost)
    if any(it is not None for it in filters):
        return None
    [row] = await reader.read("requests_totals", which.since, which.until)
    return None if row["since"] is None else Totals(**row)


async def read_requests(
    reader: Reader, which: Filter, after: After | None = None, *, most: int = PAGE
) -> Found:
    """A page of at most `most` requests, and the counts. Reads at most `LOOKED_AT` requests of each
    kind. Raises StorageError."""
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
    """The request with this id, then at most `PAGE` whose ids begin with it, among the next
    `IDS_LOOKED_AT` ids in order. Raises StorageError."""
    rows = await reader.read("requests_by_id", begin, IDS_LOOKED_AT, PAGE)
    return [_request(row) for row in rows]


async def count_due(reader: Reader) -> int:
    """How many messages of the queue a service could lease now, up to `LOOKED_AT`: never leased, or
    given back and due. Raises StorageError."""
    [row] = await reader.read("requests_due", LOOKED_AT)
    return int(row["requests"])


def _request(row: Mapping[str, Any]) -> Request:
    request: dict[str, Any] = parsed(row["request"])
    for name in ("received_at", "leased_at"):
        request[name] = datetime.fromisoformat(request[name])
    request["cost"] = None if request["cost"] is None else Decimal(request["cost"])
    return Request(request_id=row["value"], ended_at=row["at"], **request)
