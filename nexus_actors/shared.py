"""What the actors of one service share. None of it is an actor, so it outlives each of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nexus_actors.admission.gates import Gates
from nexus_actors.admission.quirks import Quirks
from nexus_actors.routing.in_force import InForce
from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import Settings
from nexus_actors.steering.desired import Desired
from nexus_actors.storage.accounts import AccountStore
from nexus_actors.storage.notices import Hints, Notifier
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.requests import RequestStore
from nexus_actors.storage.spool import AnswerSpool
from nexus_actors.tracing.spans import How
from nexus_actors.tracing.tracer import Tracer
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from nexus_actors.work.metrics import Metrics
from nexus_actors.work.overtaking import Overtaken
from nexus_actors.work.pool_sizes import PoolSizes
from nexus_actors.work.text_streams import TextStreams
from supervisors import Registry


class Store(RequestStore, AccountStore, Notifier, Protocol):
    """One store behind several ports: its users name the one that they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What is configured, the store's ports, and the passive tables."""

    in_force: InForce
    registry: Registry
    store: Store
    hints: Hints
    spool: AnswerSpool
    in_work: InWork
    desired: Desired
    sizes: PoolSizes
    overtaken: Overtaken
    metrics: Metrics
    gates: Gates
    quirks: Quirks
    streams: TextStreams
    outages: Outages
    tracer: Tracer | None = None
    """None where nothing is traced."""

    def leased(self, job: Job, sent_at: datetime | None) -> None:
        """Have it traced, if it is to be; `sent_at` where a process that leases it reads that."""
        if self.tracer is not None:
            self.tracer.begin(job, sent_at)

    def left(self, job: Job, how: How) -> None:
        """Have it traced, if it is, that a job has left this process's hands."""
        if self.tracer is not None:
            self.tracer.left(job, how)

    @property
    def settings(self) -> Settings:
        """What is configured now: to be looked at at each use, since a reload changes it."""
        return self.in_force.settings

    @property
    def routes(self) -> Routes:
        """As `settings`."""
        return self.in_force.routes

    @property
    def max_attempts(self) -> int:
        """Calls that one request may cost."""
        return self.settings.queue.max_attempts

    @property
    def holds(self) -> bool:
        """Whether a request waits while no key of its providers is taken."""
        return self.settings.queue.on_no_key == "hold"

    @property
    def throttled_seconds(self) -> float:
        """How long a request without a timeout waits for what only time mends, at most."""
        return self.settings.queue.throttled_seconds
