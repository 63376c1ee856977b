"""A service's passive tables without a service, for the numbers and the health that come of it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nexus_actors.admin.sources import Sources
from nexus_actors.admission.gates import Gates
from nexus_actors.operations.reloading import Reloading
from nexus_actors.operations.status import Status, Tables
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings import Settings, SettingsErrors
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.postgres.counted import Counted, Spending
from nexus_actors.storage.spool import FileSpool
from nexus_actors.tracing.exporting import Counts
from nexus_actors.work.in_work import InWork
from nexus_actors.work.metrics import Metrics
from nexus_actors.work.pool_sizes import PoolSizes
from nexus_actors.work.tallies import Tallies
from tests.unit.parts import known_desired, settings

SECTIONS: Mapping[str, Any] = {
    "admin": {"listen": "127.0.0.1:0"},
    "budgets": {"nightly": {"dollars": 5.0}},
    "providers": {"echo": {"kind": "echo", "pool_size": 2}, "rest": {"kind": "echo"}},
    "routes": [{"complexity": "*", "task_type": "*", "models": ["echo/one", "rest/two"]}],
}
COUNTED = Counted(
    queues={
        "requests": {"total": 7, "visible": 3, "oldest_seconds": 90.5, "due_seconds": 12.5},
        "results": {"total": 0, "visible": 0, "oldest_seconds": None, "due_seconds": None},
        "dead": {"total": 2, "visible": 2, "oldest_seconds": 3600.0, "due_seconds": 3600.0},
    },
    waiting={"throttled": 4},
    spending={"nightly": Spending(1.25, 0.5)},
    nodes={"ready": 2, "lost": 1},
    unpruned_seconds=42.0,
)


class Tabled:
    """All of them, and what is made of them."""

    def __init__(self, folder: Path, desired: Desired | None = None, **sections: Any) -> None:
        self.in_force = InForce(settings(**{**SECTIONS, **sections}))
        sizes = {
            name: it.settings.pool_size for name, it in self.in_force.settings.providers.items()
        }
        self.in_work = InWork(sizes, memory_bytes=2**20)
        self.in_work.recovered = True
        self.metrics = Metrics()
        self.tallies = self.metrics.tallies = Tallies(self.in_force)
        self.gates = Gates()
        self.outages = Outages()
        self.desired = known_desired() if desired is None else desired
        self.spool = FileSpool(folder / "answers.spool", limit_bytes=2**20)
        self.hints: Any = SimpleNamespace(connected=True, unannounced=None)
        self.counted = COUNTED
        self.unread: dict[str, int] = {}
        self.asked = 0
        self.load: Callable[[], Settings | SettingsErrors] = lambda: SettingsErrors(())
        tables = Tables(
            in_work=self.in_work,
            desired=self.desired,
            metrics=self.metrics,
            gates=self.gates,
            outages=self.outages,
            spool=self.spool,
            spans=Counts(sent=9, dropped=1),
        )
        self.database: Any = SimpleNamespace(
            hints=self.hints, claim=None, requests=SimpleNamespace(direct=None)
        )
        """None: not opened yet."""
        self.status = Status(
            in_force=self.in_force,
            instance_id="7f1d",
            database=lambda: self.database,
            tables=tables,
        )
        self.status.started = True
        self.reloading = Reloading(
            in_force=self.in_force,
            load=self._load,
            in_work=self.in_work,
            sizes=PoolSizes(self.in_force, self.in_work),
            set_level=lambda: None,
        )
        self.sources = Sources(
            in_force=self.in_force,
            status=self.status,
            tables=tables,
            reloading=self.reloading,
            hints=lambda: None if self.database is None else self.hints,
            ask=self.ask,
            unread=lambda: self.unread,
        )
        self.on_ask: Callable[[], Awaitable[None]] | None = None

    def _load(self) -> Settings | SettingsErrors:
        return self.load()

    async def ask(self) -> Counted:
        """What the database would say."""
        self.asked += 1
        if self.on_ask is not None:
            await self.on_ask()
        return self.counted
