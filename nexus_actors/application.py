"""The supervision tree as one ordered list, and the adapter behind each port. No other module
imports the adapters.

Nexus.Supervisor (rest_for_one)
├─ Registry
├─ ServiceManager.Supervisor   only ServiceManager below it; only where NOTIFY_SOCKET is set
├─ Admin.Supervisor        only Admin below it; only where `[admin] listen` is set
├─ Database
├─ Heartbeat.Supervisor    Heartbeat and ObserverBackend, so that their crash stops nothing else
├─ Pipeline.Supervisor     see pipeline/supervisor.py
├─ ResultPoller
├─ Pruner
├─ Rollup
├─ Control
└─ Watchdog
"""

import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext

import structlog
import trio

from nexus_actors.admin.part import AdminPart
from nexus_actors.admin.sources import Sources
from nexus_actors.admission.gates import Gates
from nexus_actors.admission.quirks import Quirks
from nexus_actors.operations.crashes import Crashes
from nexus_actors.operations.inspection import Inspection
from nexus_actors.operations.instance import Instance
from nexus_actors.operations.logs import set_level
from nexus_actors.operations.own_place import own_place
from nexus_actors.operations.part import OperationsPart
from nexus_actors.operations.reloading import Reloading
from nexus_actors.operations.remote import Remote
from nexus_actors.operations.remote_names import Actors
from nexus_actors.operations.service_manager import Notifier, ServiceManager
from nexus_actors.operations.status import Status, Tables
from nexus_actors.pipeline.result_poller import ResultPoller
from nexus_actors.pipeline.supervisor import Pipeline
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings import Settings, SettingsErrors, load_settings
from nexus_actors.shared import Shared
from nexus_actors.steering.desired import Desired
from nexus_actors.steering.steering import Callbacks, Scope
from nexus_actors.storage.database import DatabaseOwner
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.postgres.claim import InstanceTaken
from nexus_actors.storage.postgres.counted import Counted
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.spool import FILE as SPOOL
from nexus_actors.storage.spool import FileSpool
from nexus_actors.tracing.exporting import Exporting
from nexus_actors.tracing.opening import new_tracing
from nexus_actors.tracing.tracer import Tracer
from nexus_actors.work.in_work import InWork
from nexus_actors.work.metrics import Metrics
from nexus_actors.work.overtaking import Overtaken
from nexus_actors.work.pool_sizes import PoolSizes
from nexus_actors.work.text_streams import TextStreams
from supervisors import (
    ChildSpec,
    Registry,
    Supervisor,
    Watchdog,
    telemetry,
    unread,
)

log = structlog.get_logger("nexus")

ROOT = "Nexus.Supervisor"
DATABASE_SHUTDOWN = 20.0
"""Seconds for closing the connections and stopping an embedded server."""


class Application:
    """One service: its passive tables, which outlive every actor but the root, and its tree."""

    def __init__(
        self, settings: Settings, instance: Instance, *, notifier: Notifier | None = None
    ) -> None:
        """`notifier` reports the service's state to the service manager; None where there is
        none."""
        self.in_force = InForce(settings)
        self.instance = instance
        self.registry = Registry("Registry")
        self.in_work = InWork(
            {name: one.settings.pool_size for name, one in settings.providers.items()},
            batch_size=settings.queue.batch_size,
            memory_bytes=settings.queue.memory_megabytes * 2**20,
        )
        self.desired = Desired()
        wanted = self.desired.concurrency_of
        self.sizes = PoolSizes(self.in_force, self.in_work, wanted)
        self.overtaken = Overtaken(self._is_routed_by_agent)
        self.metrics = Metrics()
        self.gates = Gates()
        self.in_work.is_stopped = self.desired.stops
        self.in_work.is_shut = self._takes_no_key
        self.quirks = Quirks()
        self.outages = Outages()
        self.tracer: Tracer | None = None
        self._exporting: Exporting | None = None
        if settings.tracing.endpoint:
            self.tracer, self._exporting = new_tracing(self.in_force, instance.id)
        self.streams = TextStreams()
        self.spool = FileSpool(
            instance.data_dir / SPOOL,
            limit_bytes=settings.service.spool_megabytes * 2**20,
        )
        tables = self._tables()
        self.status = Status(
            in_force=self.in_force,
            instance_id=instance.id,
            database=lambda: self._database,
            tables=tables,
        )
        self.reloading = Reloading(
            in_force=self.in_force,
            in_work=self.in_work,
            sizes=self.sizes,
            load=self._load,
            set_level=self._set_level,
            announced=nullcontext if notifier is None else notifier.reloading,
        )
        self._notifier = notifier
        self.admin = self._admin(tables)
        self.crashes = Crashes()
        self.operations = self._operations()
        self._database: PostgresDatabase | None = None
        self._root: Supervisor | None = None
        self.taken: InstanceTaken | None = None
        """Set when this service was stopped because another one holds the instance's lock."""

    def _tables(self) -> Tables:
        return Tables(
            in_work=self.in_work,
            desired=self.desired,
            metrics=self.metrics,
            gates=self.gates,
            outages=self.outages,
            spool=self.spool,
            spans=None if self._exporting is None else self._exporting.counts,
        )

    def _admin(self, tables: Tables) -> AdminPart:
        sources = Sources(
            in_force=self.in_force,
            status=self.status,
            tables=tables,
            reloading=self.reloading,
            hints=lambda: None if self._database is None else self._database.hints,
            ask=self._count,
            unread=lambda: unread(self.root.ref),
        )
        return AdminPart(sources, self.instance.data_dir)

    def _operations(self) -> OperationsPart:
        remote = Remote(
            self.settings.service.name, self._names, allowed=lambda: self.settings.security.remote
        )
        return OperationsPart(
            in_force=self.in_force,
            instance=self.instance,
            registry=self.registry,
            status=self.status,
            reloading=self.reloading,
            outages=self.outages,
            crashes=self.crashes,
            inspection=Inspection(lambda: self.root.ref),
            database=lambda: self.database,
            root=lambda: self.root.ref,
            sessions={"remote": remote},
        )

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.in_force.settings

    @property
    def database(self) -> PostgresDatabase:
        """The open database. Only actors that start after Database may use it."""
        assert self._database is not None  # noqa: S101 - guaranteed by the start order
        return self._database

    @property
    def root(self) -> Supervisor:
        """The root of the running tree."""
        assert self._root is not None  # noqa: S101 - callers run below it
        return self._root

    @property
    def node_name(self) -> str:
        """The name that operators see for this process."""
        return f"{self.settings.service.name}@{socket.gethostname()}"

    def _is_routed_by_agent(self) -> bool:
        routes = self.settings.routes
        return self.desired.by_agent or any(it.agent is not None for it in routes)

    def _set_level(self) -> None:
        """Set the log level: the operator's if one is set, else the config's."""
        set_level(self.desired.log_level or self.settings.service.log_level)

    def _takes_no_key(self, provider: str) -> bool:
        """Whether requests wait until one of the provider's keys works again."""
        holds = self.settings.queue.on_no_key == "hold"
        return holds and self.gates.no_key(provider, trio.current_time()) is not None

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Listen to the runtime's telemetry and export traces while this is open. Closing it
        exports the remaining spans, which may block for seconds: do it after trio has ended."""
        counted = telemetry.ChildRestarted, telemetry.LoopBlocked
        with ExitStack() as stack:
            if self._exporting is not None:
                self._exporting.open()
                stack.callback(self._exporting.close)
            who = "metrics", self.instance.id
            stack.enter_context(telemetry.attached(who, counted, self.metrics.heard))
            heed, stopped = self.operations.stopping().heed, ("stopped", self.instance.id)
            stack.enter_context(telemetry.attached(stopped, telemetry.ProcessStarted, heed))
            stack.enter_context(self.crashes.kept())
            if self._notifier is not None:
                stack.enter_context(self._notifier.heeding(ROOT))
            yield

    def supervisor(self) -> Supervisor:
        """Make the root, not started yet. To be called once per run."""
        children = self.children()
        max_restarts, max_seconds = self.settings.supervision.limits(len(children))
        self._root = Supervisor(
            children,
            name=ROOT,
            strategy="rest_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )
        return self._root

    def children(self) -> Sequence[ChildSpec]:
        """The root's children in start order; they stop in reverse."""
        poller = [ChildSpec("ResultPoller", self._result_poller)]
        # Transient: if its supervisor gives up, an orderly exit, the root continues without it.
        named = "ServiceManager.Supervisor"
        manager = ChildSpec(named, self._service_managers, type="supervisor", restart="transient")
        return [
            self.registry.child_spec(),
            # Before everything that may take long to start or to stop.
            *([] if self._notifier is None else [manager]),
            *self.admin.children(),
            ChildSpec("Database", self._database_owner, shutdown=DATABASE_SHUTDOWN),
            # Before the pipeline, so that it reports a drain to the end.
            ChildSpec("Heartbeat.Supervisor", self._telling, type="supervisor"),
            ChildSpec("Pipeline.Supervisor", self._pipeline, type="supervisor"),
            *(poller if self.settings.result_poller.enabled else []),
            *self.operations.working(),
            # Last, so that its crash stops nothing else.
            ChildSpec("Watchdog", self._watchdog),
        ]

    # -- one factory per child, called at each start and restart

    def _database_owner(self) -> DatabaseOwner:
        self._database = None  # an earlier one is closed, and no actor uses it any more

        def on_open(database: PostgresDatabase) -> None:
            self._database = database
            self.instance.wait_for(None)
            self._note_wait(None)

        return DatabaseOwner(
            settings=self.settings,
            data_dir=self.instance.data_dir,
            instance_id=self.instance.id,
            here=own_place(self.instance.data_dir),
            outages=self.outages,
            on_open=on_open,
            on_wait=self._tell_wait,
            on_taken=self._on_taken,
        )

    def _load(self) -> Settings | SettingsErrors:
        """Read the config again, from the file that was used at the start."""
        return load_settings(self.settings.file, os.environ)

    def _tell_wait(self, why: str) -> None:
        since = f"since {self.status.started_at:%Y-%m-%d %H:%M:%S} UTC"
        self.instance.wait_for(f"it waits for the database, {since}: {why}")
        self._note_wait(why)

    def _note_wait(self, why: str | None) -> None:
        self.status.waits_for = why
        if self._notifier is not None:
            self._notifier.changed.set()

    def _on_taken(self, taken: InstanceTaken) -> None:
        """Two services must not share an instance id: stop as if by SIGTERM."""
        self.taken = taken
        log.critical("stopping: another service took this one for dead", error=str(taken))
        os.kill(os.getpid(), signal.SIGTERM)

    def _apart(self, name: str, *children: ChildSpec) -> Supervisor:
        """Give these children a supervisor of their own, so that their crash stops nothing else."""
        max_restarts, max_seconds = self.settings.supervision.limits(len(children))
        return Supervisor(children, name=name, max_restarts=max_restarts, max_seconds=max_seconds)

    def _service_managers(self) -> Supervisor:
        def start() -> ServiceManager:
            assert self._notifier is not None  # noqa: S101 - otherwise it is not in the tree
            line, running = self.status.line, lambda: self.in_work.running
            return ServiceManager(self._notifier, line=line, running=running)

        return self._apart("ServiceManager.Supervisor", ChildSpec("ServiceManager", start))

    def _telling(self) -> Supervisor:
        return self._apart("Heartbeat.Supervisor", *self.operations.telling())

    def _pipeline(self) -> Supervisor:
        shared = Shared(
            in_force=self.in_force,
            registry=self.registry,
            store=self.database.requests,
            spool=self.spool,
            hints=self.database.hints,
            in_work=self.in_work,
            desired=self.desired,
            sizes=self.sizes,
            overtaken=self.overtaken,
            metrics=self.metrics,
            gates=self.gates,
            quirks=self.quirks,
            streams=self.streams,
            outages=self.outages,
            tracer=self.tracer,
        )
        scope = Scope(
            nodes=(self.instance.id, self.node_name),
            queue=self.settings.queue.requests,
            callbacks=Callbacks(resize=self.sizes.apply, set_level=self._set_level),
        )
        return Pipeline(shared, self.database, scope).supervisor()

    def _result_poller(self) -> ResultPoller:
        return ResultPoller(
            queue=lambda: self.settings.queue,
            store=self.database.results,
            hints=self.database.hints,
            outages=self.outages,
        )

    def _watchdog(self) -> Watchdog:
        self.status.started = True  # the watchdog is the last child
        return Watchdog()

    # -- for Admin, and for the remote prompt

    async def _count(self) -> Counted:
        if self._database is None:
            raise StorageUnavailable("no database is open yet")
        budgets = {name: it.per for name, it in self.settings.budgets.items()}
        return await self._database.counted(budgets)

    def _names(self) -> Mapping[str, object]:
        """The names that are defined at the prompt of `nexus remote`."""
        return {
            "app": self,
            "service": self,
            "settings": self.settings,
            "registry": self.registry,
            "in_work": self.in_work,
            "gates": self.gates,
            "desired": self.desired,
            "metrics": self.metrics,
            "outages": self.outages,
            "status": self.status,
            **Actors(lambda: self.root.ref).names(),
        }
