"""The answer to `nexus status`: numbers about this process, and what impairs its work."""

import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import trio

from nexus_actors import __version__
from nexus_actors.admission.gates import Gates
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.shown_text import printable
from nexus_actors.operations.control import CommandRefused
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings.model import Settings
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.nodes import NodeReport, NodeState
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.spool import FileSpool
from nexus_actors.tracing.exporting import Counts
from nexus_actors.work.in_work import InWork
from nexus_actors.work.metrics import Metrics

STATUS_TIMEOUT = 2.0
"""The most seconds that a status waits for the database."""
LONGEST_TEXT = 500
"""The most characters of a text in a node's report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables that a status reads."""

    in_work: InWork
    desired: Desired
    metrics: Metrics
    gates: Gates
    outages: Outages
    spool: FileSpool
    spans: Counts | None
    """None if tracing is not configured."""


class Status:
    """Reads the service's tables. `database` returns the open one; None before the first was
    opened."""

    def __init__(
        self,
        *,
        in_force: InForce,
        instance_id: str,
        database: Callable[[], PostgresDatabase | None],
        tables: Tables,
    ) -> None:
        self._in_force = in_force
        self._instance_id = instance_id
        self._database = database
        self._in_work = tables.in_work
        self._desired = tables.desired
        self._metrics = tables.metrics
        self._gates = tables.gates
        self._outages = tables.outages
        self._spool = tables.spool
        self._spans = tables.spans
        self.started_at = datetime.now(UTC)
        self._began = time.monotonic()
        self.started = False
        """Whether the whole tree has been started."""
        self.waits_for: str | None = None
        """Why the database is not open yet; None if it is."""

    def uptime(self) -> float:
        """Seconds since the service began."""
        return time.monotonic() - self._began

    @property
    def awaits_database(self) -> bool:
        """Whether the service waits for a database to be opened."""
        return self.waits_for is not None or self._database() is None

    @property
    def database_url(self) -> str | None:
        """The URL of the database that was opened last, with its password: use it for connections,
        never in a message."""
        database = self._database()
        return None if database is None else database.pool.url

    def state(self, outages: Mapping[str, object]) -> NodeState:
        """The service's state, given its outages."""
        if self._in_work.draining:
            rests = self._desired.drain is not None and not self._in_work
            return "drained" if rests else "draining"
        if not self.started:
            return "starting"
        return "degraded" if outages else "ready"

    def line(self) -> str:
        """The state in one line. Also works before there is a database."""
        if self.waits_for is not None:
            return f"waits for the database: {self.waits_for}"
        if not self.started:
            return "starting"
        outages = self.outages()
        match self.state(outages):
            case "degraded":
                return f"degraded: {_why(outages)}"
            case "draining":
                return f"draining: {self._in_work.running} calls left"
            case "drained":
                return "drained, until it is resumed"
            case state:
                return f"{state}: {len(self._in_work)} in flight"

    def report(self) -> NodeReport:
        """The report of this process for `nexus.nodes`."""
        outages = self.outages()
        host, providers = socket.gethostname(), self._in_work.providers
        error = self._metrics.last_error
        return NodeReport(
            node=self._instance_id,
            name=printable(f"{self._settings.service.name}@{host}", 320),
            host=printable(host, 255),
            version=__version__,
            pid=os.getpid(),
            queue=self._settings.queue.requests,
            started_at=self.started_at,
            state=self.state(outages),
            why=printable(_why(outages), LONGEST_TEXT) or None,
            in_flight=len(self._in_work),
            concurrency={name: self._in_work.concurrency(name).limit for name in providers},
            restarts=self._metrics.restarts.total(),
            last_error=None if error is None else printable(error, LONGEST_TEXT),
        )

    @property
    def _settings(self) -> Settings:
        return self._in_force.settings

    async def __call__(self, arguments: Mapping[str, Any] | None = None) -> object:
        """The answer to `status`. It includes queue lengths from the database, unless the argument
        `queues` is false."""
        outages = self.outages()
        counted = arguments is None or arguments.get("queues") is not False
        queues, waiting = await self._counted() if counted else ({}, {})
        return {
            "state": self.state(outages),
            "outages": outages,
            "service": self._settings.service.name,
            "version": __version__,
            "pid": os.getpid(),
            "instance": self._instance_id,
            "started_at": self.started_at.isoformat(),
            "uptime_seconds": round(self.uptime(), 1),
            "database": "embedded" if self._settings.database.embedded else "external",
            "paused": [pause.describe() for pause in self._desired.pauses],
            "queues": queues,
            "waiting": waiting,
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "in_work": len(self._in_work),
            "running": self._in_work.running,
            "unpublished": len(self._in_work.answered()),
            "spooled": len(self._spool),
            "providers": {name: self._provider(name) for name in self._in_work.providers},
            "objective": self._metrics.objective.as_dict(trio.current_time()),
            "totals": self._metrics.as_dict(),
            "spans": None if self._spans is None else asdict(self._spans),
        }

    async def job(self, arguments: Mapping[str, Any]) -> object:
        """Where this process has a request (`msg_id`, `request_id`); None if it has not."""
        try:
            job = self._in_work.get(int(arguments["msg_id"]), str(arguments["request_id"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CommandRefused("expected msg_id, a number, and request_id") from error
        if job is None or job.place is None:
            return None
        return {
            "place": type(job.place).__name__.lower(),
            "provider": str(job.candidate) if job.candidates else None,
            "waits_for": None if job.wait is None else job.wait.reason,
            "calling": job.call_started is not None,
            "seconds": round(trio.current_time() - job.leased_at, 3),
        }

    def _provider(self, name: str) -> Mapping[str, object]:
        now, calls = trio.current_time(), self._metrics.calls[name]
        queue, keys = self._in_work.queue(name), self._gates.keys.get(name)
        keys_suspended = {} if keys is None else keys.describe(now)
        circuits = dict(self._gates.describe(name, now))
        return {
            "workers": self._in_work.workers(name),
            "capacity": queue.capacity,
            "calls_made": calls.succeeded + calls.failed,
            "calls_answered": calls.succeeded,
            "calls_failed": calls.failed,
            "calls_ms": calls.milliseconds,
            "last_error": calls.last_error,
            "concurrency_limit": queue.concurrency.limit,
            "keys_suspended": keys_suspended,
            "circuits": circuits,
            "running": len(queue.held),
            "waiting": len(queue.waiting),
            "queued": len(queue),
            # The last five have names from earlier releases.
            "calls": calls.succeeded,
            "calls_at_once": queue.concurrency.limit,
            "keys_held": keys_suspended,
            "shut": circuits,
            "in_lane": len(queue),
        }

    def outages(self) -> dict[str, dict[str, object]]:
        """The stages that wait for the database, and why; what the database does not deliver;
        providers without a usable key; providers that cannot be reached."""
        now = trio.current_time()
        outages = {**self._outages.describe(now)}
        for name, refused in self._gates.refused.items():
            seconds = round(now - refused.since, 1)
            outages[f"keys of {name}"] = {"seconds": seconds, "error": refused.describe(name, now)}
        for name in self._settings.providers:
            if (outage := self._unreachable(name, now)) is not None:
                outages[f"provider {name}"] = outage
        if (database := self._database()) is not None:
            outages.update(_of_database(database))
        return outages

    def _unreachable(self, provider: str, now: float) -> dict[str, object] | None:
        """Why the provider cannot be used, and for how long: its server is away, or all models that
        the routes name have failed. None if it can be used, as far as is known."""
        failing = self._gates.failing(provider, now)
        away = [it for it in failing.values() if it.cause.startswith(ErrorType.CONNECTION_FAILED)]
        routes = self._settings.routes
        named = {it.model for route in routes for it in route.models if it.provider == provider}
        if named and named <= failing.keys():
            away += failing.values()
        if not away:
            return None
        since = away[0].circuit.failing_since or now
        return {"seconds": round(now - since, 1), "error": away[0].cause}

    async def _counted(self) -> tuple[object, object]:
        """The queue lengths, and how many requests wait for what. Bounded in time, since counting a
        long queue takes long."""
        database = self._database()
        if database is None:
            raise CommandRefused("no database is open yet")
        late = {"error": "no answer in time"}
        counted: dict[str, object] = {"queues": late, "waiting": late}

        async def count(what: str, ask: Callable[[], Awaitable[object]]) -> None:
            try:
                counted[what] = await ask()
            except StorageError as error:
                counted[what] = {"error": str(error)}

        with trio.move_on_after(STATUS_TIMEOUT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(count, "queues", database.queue_lengths)
                nursery.start_soon(count, "waiting", database.waiting_counts)
        return counted["queues"], counted["waiting"]


def _why(outages: Mapping[str, Mapping[str, object]]) -> str:
    return "; ".join(f"{name}: {outage['error']}" for name, outage in outages.items())


def _of_database(database: PostgresDatabase) -> Mapping[str, dict[str, object]]:
    """What the database does not do as it should."""
    outages: dict[str, dict[str, object]] = {}
    hints, claim, direct = database.hints, database.claim, database.requests.direct
    if direct is not None and direct.trouble is not None:
        held = f"results go by the results queue, which costs more: {direct.trouble}"
        outages["direct results"] = {"error": held}
    if not hints.connected:
        outages["notifications"] = {"error": "not connected, so the queues are polled"}
    if hints.unannounced is not None:
        held = f"clients cannot be told of this service: {hints.unannounced}"
        outages["presence"] = {"error": held}
    if claim is not None and claim.trouble is not None:
        outages["instance"] = {"error": f"its lock is not held: {claim.trouble}"}
    return outages
