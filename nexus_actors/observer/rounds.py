"""Reads the service's control socket and the database in rounds, and computes rates between them,
for `nexus top` and the observer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from nexus_actors.operations import control_client
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import Runs
from nexus_actors.storage.postgres.depths import (
    QueueLength,
    Spend,
    read_queue_lengths,
    read_spend,
    read_waiting,
)
from nexus_actors.storage.postgres.node_store import NodeStatus, list_nodes
from nexus_actors.storage.postgres.sql import Queues

PATIENCE: Final = 2.0
"""Seconds that a round waits for each: the service, the queues, the spend."""
SPEND_INTERVAL: Final = 30.0
"""Seconds between two queries of the spend, which read the whole day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The calls to one provider in one round. None means unknown (yet)."""

    running: int | None = None
    queued: int | None = None
    limit: int | None = None
    answered_per_second: float | None = None
    failed_per_second: float | None = None
    mean_ms: float | None = None
    spent_hour: float | None = None
    spent_day: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLine:
    """The service that runs here."""

    name: str
    state: str
    outages: Mapping[str, str]
    """What it waits for, and why."""
    paused: list[str]
    """What operators have paused, as text."""
    version: str
    uptime_seconds: float
    in_work: int
    running: int
    unpublished: int
    spooled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """One node, in short."""

    name: str
    state: str
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The result of one round."""

    at: datetime
    seconds: float | None
    """Seconds since the previous round, over which rates are computed."""
    service: ServiceLine | None
    queues: Mapping[str, QueueLength]
    waiting: Mapping[str, int]
    """Waiting requests that were leased before, by reason."""
    providers: Mapping[str, Calls]
    nodes: list[NodeLine]
    trouble: list[str]
    """What could not be read, and why."""


@dataclass(slots=True)
class _Found:
    """What was read from the database so far."""

    nodes: list[NodeStatus] = field(default_factory=list)
    queues: Mapping[str, QueueLength] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


class Rounds:
    """Keeps the previous round, for the rates. Without `data_dir`, no control socket is asked."""

    def __init__(self, data_dir: Path | None, queues: Queues, pool: Runs) -> None:
        self._data_dir = data_dir
        self._queues = queues
        self._pool = pool
        self._before: tuple[float, Mapping[str, Any]] | None = None
        self._spend: Mapping[str, Spend] | None = None
        self._spend_due = 0.0
        self._trouble: list[str] = []
        self.status: Mapping[str, Any] | None = None
        """The service's status in this round; None without a response."""
        self.nodes: list[NodeStatus] = []

    async def next(self) -> Round:
        """Read the next round. What cannot be read is left out, and reported in `trouble`."""
        self._trouble = []
        before, now = self._before, trio.current_time()
        self.status = status = await self._status()
        self._before = None if status is None else (now, status)
        found = await self._database()
        self.nodes = found.nodes
        seconds = None if before is None or status is None else now - before[0]
        earlier = {} if before is None else before[1]["providers"]
        current = {} if status is None else status["providers"]
        spend = self._spend
        return Round(
            at=datetime.now(UTC),
            seconds=seconds,
            service=None if status is None else _service(status),
            queues=found.queues,
            waiting=found.waiting,
            providers={
                name: calls_between(
                    current.get(name),
                    earlier.get(name),
                    seconds,
                    None if spend is None else spend.get(name, Spend(0.0, 0.0)),
                )
                for name in [*current, *(it for it in spend or {} if it not in current)]
            },
            nodes=[
                NodeLine(name=it.name, state=it.state, in_flight=it.in_flight) for it in found.nodes
            ],
            trouble=self._trouble,
        )

    async def _status(self) -> Mapping[str, Any] | None:
        if self._data_dir is None:
            return None
        ask = partial(
            control_client.ask, self._data_dir, "status", {"queues": False}, timeout=PATIENCE
        )
        try:
            answer: Any = await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
        except control_client.ControlError as error:
            self._trouble.append(str(error))
            return None
        found: Mapping[str, Any] = answer
        return found

    async def _database(self) -> "_Found":
        found = _Found()
        try:
            with trio.move_on_after(PATIENCE) as limit:
                found.nodes = await self._pool.run(list_nodes)
                found.queues = await self._pool.run(read_queue_lengths, self._queues)
                found.waiting = await self._pool.run(read_waiting, self._queues)
            if limit.cancelled_caught:
                self._trouble.append("the queues were not counted in time")
            await self._look_at_spend()
        except StorageError as error:
            self._trouble.append(str(error))
        return found

    async def _look_at_spend(self) -> None:
        if trio.current_time() < self._spend_due:
            return
        with trio.move_on_after(PATIENCE) as limit:
            self._spend = await self._pool.run(read_spend)
        if limit.cancelled_caught:
            self._spend = None
            self._trouble.append("the spend was not added up in time")
        self._spend_due = trio.current_time() + SPEND_INTERVAL


def _service(status: Mapping[str, Any]) -> ServiceLine:
    return ServiceLine(
        name=status["service"],
        state=status["state"],
        outages={name: outage["error"] for name, outage in status["outages"].items()},
        paused=list(status["paused"]),
        version=status["version"],
        uptime_seconds=status["uptime_seconds"],
        in_work=status["in_work"],
        running=status["running"],
        unpublished=status["unpublished"],
        spooled=status["spooled"],
    )


def calls_between(
    now: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    seconds: float | None,
    spend: Spend | None,
) -> Calls:
    """The calls to a provider, from its status now and `seconds` ago."""
    spent_hour, spent_day = (None, None) if spend is None else (spend.hour, spend.day)
    if now is None:
        return Calls(spent_hour=spent_hour, spent_day=spent_day)
    answered = failed = mean = None
    if before is not None and seconds:
        made, ok, bad, took = (
            now[it] - before[it]
            for it in ("calls_made", "calls_answered", "calls_failed", "calls_ms")
        )
        if made >= 0:  # else the service has restarted
            answered, failed = ok / seconds, bad / seconds
            mean = took / made if made else None
    return Calls(
        running=now["running"],
        queued=now["waiting"],
        limit=now["concurrency_limit"],
        answered_per_second=answered,
        failed_per_second=failed,
        mean_ms=mean,
        spent_hour=spent_hour,
        spent_day=spent_day,
    )
