"""The part of the tree for operators: actors that report this node, actors for chores, and Control
with its commands."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nexus_actors.operations.actor_traces import ActorTraces
from nexus_actors.operations.control import Command, Control, Session
from nexus_actors.operations.crashes import Crashes
from nexus_actors.operations.heartbeat import Heartbeat
from nexus_actors.operations.inspection import Inspection
from nexus_actors.operations.instance import Instance
from nexus_actors.operations.last_lines import LAST_LINES
from nexus_actors.operations.leader import Leadership
from nexus_actors.operations.observer_backend import ObserverBackend, Sight
from nexus_actors.operations.orders import ORDERS, Orders, announced
from nexus_actors.operations.pruner import Pruner
from nexus_actors.operations.reloading import Reloading
from nexus_actors.operations.restarting import Restarting
from nexus_actors.operations.rollup import Rollup
from nexus_actors.operations.status import Status
from nexus_actors.operations.stopping import Stopping
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings import RetentionSettings, listed
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.postgres.database import PostgresDatabase
from supervisors import ActorRef, ChildSpec, Registry, tree


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPart:
    """Makes the child specs. All objects here outlive the actors."""

    in_force: InForce
    instance: Instance
    registry: Registry
    status: Status
    reloading: Reloading
    outages: Outages
    crashes: Crashes
    inspection: Inspection
    database: Callable[[], PostgresDatabase]
    """Returns the open database. For actors that start after Database."""
    root: Callable[[], ActorRef]
    sessions: Mapping[str, Session]

    def telling(self) -> list[ChildSpec]:
        """Heartbeat and ObserverBackend. A crash of one does not affect the other."""
        return [
            ChildSpec("Heartbeat", self._heartbeat),
            ChildSpec("ObserverBackend", self._observer_backend),
        ]

    def working(self) -> list[ChildSpec]:
        """The actors for chores, and Control."""
        return [
            ChildSpec("Pruner", self._pruner),
            ChildSpec("Rollup", self._rollup),
            ChildSpec("Control", self._control),
        ]

    def stopping(self) -> Stopping:
        """Stops and starts single actors, and notices when they are started otherwise."""
        return Stopping(self.root, self.outages)

    def _heartbeat(self) -> Heartbeat:
        store = self.database().nodes
        return Heartbeat(store=store, report=self.status.report, outages=self.outages)

    def _observer_backend(self) -> ObserverBackend:
        database = self.database()
        sights: dict[str, Sight] = {
            "tree": self._tree_and_crashes,
            "status": lambda: self.status({"queues": False}),
            "config": self._config,
        }
        return ObserverBackend(
            node=self.instance.id,
            store=database.sights,
            hints=database.hints,
            sights=sights,
            inspect=self.inspection.inspect,
            orders=Orders(self._commands(), self._restarting().restart),
            outages=self.outages,
        )

    def _pruner(self) -> Pruner:
        store = self.database().retention
        return Pruner(settings=self._retention, store=store, leadership=self._leadership())

    def _rollup(self) -> Rollup:
        store = self.database().sums
        return Rollup(settings=self._retention, store=store, leadership=self._leadership())

    def _leadership(self) -> Leadership:
        return Leadership(
            chores=self.database().nodes,
            node=self.instance.id,
            running=self.status.uptime,
            outages=self.outages,
        )

    def _retention(self) -> RetentionSettings:
        return self.in_force.settings.retention

    def _control(self) -> Control:
        commands = self._commands()
        orders = {name: announced(name, commands[name]) for name in ORDERS}
        return Control(
            data_dir=self.instance.data_dir, commands=commands | orders, sessions=self.sessions
        )

    def _commands(self) -> dict[str, Command]:
        stopping = self.stopping()
        return {
            "status": self.status,
            "tree": self._tree,
            "crashes": self._crashes,
            "inspect": self.inspection,
            "trace": ActorTraces(self.root),
            "log": LAST_LINES,
            "job": self.status.job,
            "reload": self.reloading,
            "restart": self._restarting(),
            "stop_actor": stopping.stop,
            "start_actor": stopping.start,
        }

    def _restarting(self) -> Restarting:
        return Restarting(self.root, self.registry)

    async def _tree(self, _arguments: Mapping[str, Any] | None = None) -> object:
        return asdict(await tree(self.root()))

    async def _crashes(self, _arguments: Mapping[str, Any] | None = None) -> object:
        return [asdict(it) for it in self.crashes.newest_first()]

    async def _tree_and_crashes(self) -> object:
        return {"tree": await tree(self.root()), "crashes": list(self.crashes.newest_first())}

    async def _config(self) -> object:
        return listed(self.in_force.settings)
