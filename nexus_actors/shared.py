"""What the actors of one service share. None of it is an actor, so it survives their crashes."""

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
    """One store that implements several ports. Each user declares the port that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The settings in force, the store's ports, and the passive tables."""

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
    """None if tracing is not configured."""

    def leased(self, job: Job, sent_at: datetime | None) -> None:
        """Begin the trace of a leased job, if it is to be traced. `sent_at` is when its message was
        enqueued; None if that is not known."""
        if self.tracer is not None:
            self.tracer.begin(job, sent_at)

    def left(self, job: Job, how: How) -> None:
        """End the trace of a job that this process no longer works on, if it is traced."""
        if self.tracer is not None:
            self.tracer.left(job, how)

    @property
    def settings(self) -> Settings:
        """The settings in force. Read them at each use and keep no copy, since a reload swaps
        them."""
        return self.in_force.settings

    @property
    def routes(self) -> Routes:
        """The routes in force. Like `settings`, to be read at each use."""
        return self.in_force.routes

    @property
    def max_attempts(self) -> int:
        """The most calls that may be made for one request."""
        return self.settings.queue.max_attempts

    @property
    def holds(self) -> bool:
        """Whether a request waits (instead of failing) while none of its providers has a usable
        key."""
        return self.settings.queue.on_no_key == "hold"

    @property
    def throttled_seconds(self) -> float:
        """The longest that a request without a timeout waits while it is throttled, without a
        usable key, or kept from its budget by running calls."""
        return self.settings.queue.throttled_seconds
