"""The pipeline's part of the tree: the start order, and the channels that connect the stages."""

from dataclasses import dataclass
from typing import Protocol

import trio

from nexus_actors.admission.before_call import Checks
from nexus_actors.admission.model_quirks import ModelQuirks
from nexus_actors.config_file import LONGEST_DRAIN
from nexus_actors.pipeline.lease_keeper import RELEASE_TIMEOUT, LeaseKeeper
from nexus_actors.pipeline.provider_tree.keeper import ProviderKeeper
from nexus_actors.pipeline.provider_tree.part import ProviderPart
from nexus_actors.pipeline.queue_consumer import QueueConsumer
from nexus_actors.pipeline.result_publisher import FLUSH_TIMEOUT, ResultPublisher
from nexus_actors.pipeline.router import Router
from nexus_actors.pipeline.stream_publisher import StreamPublisher
from nexus_actors.shared import Shared
from nexus_actors.steering.cancellations import Cancellations
from nexus_actors.steering.steering import Scope, Steering
from nexus_actors.storage.cancellations import CancellationStore
from nexus_actors.storage.control import ControlStore
from nexus_actors.storage.quirks import QuirkStore
from supervisors import ChildSpec, Ignore, Supervisor

MARGIN = 5.0
"""Seconds beyond its own deadline after which a child that is stopping is killed."""


class Stores(Protocol):
    """Stores that only one actor uses each."""

    @property
    def cancellations(self) -> CancellationStore:
        """For Cancellations."""
        ...

    @property
    def control(self) -> ControlStore:
        """For Steering."""
        ...

    @property
    def quirks(self) -> QuirkStore:
        """For ModelQuirks."""
        ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Builds the pipeline's supervisors. Each call makes new channels and child specs."""

    shared: Shared
    stores: Stores
    scope: Scope
    """Which rows of `nexus.control` concern this process, and what they act on."""

    def supervisor(self) -> Supervisor:
        """Children start in the reverse order of a request's path, so stopping them in reverse
        start order is the drain.

        Through the two channels, the in-work table wakes the Router and the publisher when there
        are jobs for them.
        """
        shared = self.shared
        to_router, unrouted = trio.open_memory_channel[None](1)
        to_publisher, answered = trio.open_memory_channel[None](1)
        shared.in_work.connect(to_router, to_publisher)
        if shared.desired.drain is None:
            shared.in_work.resume()
        checks = Checks(shared.in_force, shared.store)
        return self._supervise(
            "Pipeline.Supervisor",
            ChildSpec(
                "LeaseKeeper", lambda: LeaseKeeper(shared), shutdown=RELEASE_TIMEOUT + MARGIN
            ),
            ChildSpec(
                "ResultPublisher",
                lambda: ResultPublisher(shared, answered),
                shutdown=FLUSH_TIMEOUT + MARGIN,
            ),
            ChildSpec("StreamPublisher", lambda: StreamPublisher(shared)),
            ChildSpec("Cancellations", self._cancellations),
            ChildSpec("Steering", self._steering),
            ChildSpec("ModelQuirks", self._model_quirks),
            ChildSpec(
                "Providers.Supervisor",
                lambda: self._providers(checks),
                type="supervisor",
                name=shared.registry.via("Providers.Supervisor"),
            ),
            ChildSpec(
                "ProviderKeeper",
                lambda: ProviderKeeper(shared, lambda name: self._provider_spec(name, checks)),
                name=shared.registry.via("ProviderKeeper"),
            ),
            ChildSpec("Router", lambda: Router(shared, unrouted)),
            ChildSpec(
                "QueueConsumer",
                lambda: QueueConsumer(shared),
                shutdown=LONGEST_DRAIN + MARGIN,  # `terminate` applies drain_timeout
            ),
        )

    def _steering(self) -> Steering:
        shared = self.shared
        return Steering(
            scope=self.scope,
            store=self.stores.control,
            hints=shared.hints,
            desired=shared.desired,
            in_work=shared.in_work,
            outages=shared.outages,
        )

    def _cancellations(self) -> Cancellations:
        return Cancellations(
            store=self.stores.cancellations,
            hints=self.shared.hints,
            in_work=self.shared.in_work,
            outages=self.shared.outages,
        )

    def _model_quirks(self) -> ModelQuirks:
        return ModelQuirks(
            store=self.stores.quirks,
            hints=self.shared.hints,
            quirks=self.shared.quirks,
            outages=self.shared.outages,
        )

    def _providers(self, checks: Checks) -> Supervisor:
        names = self.shared.settings.providers
        return self._supervise(
            "Providers.Supervisor", *(self._provider_spec(name, checks) for name in names)
        )

    def _provider_spec(self, name: str, checks: Checks) -> ChildSpec:
        named = f"{name}.Supervisor"
        return ChildSpec(
            named,
            lambda: self._provider(name, checks),
            type="supervisor",
            name=self.shared.registry.via(named),
        )

    def _provider(self, name: str, checks: Checks) -> Supervisor | Ignore:
        """One provider's breaker, limits, pool and workers. Ignored if the provider is no longer
        configured."""
        provider = self.shared.settings.providers.get(name)
        if provider is None:
            return Ignore()
        self.shared.in_work.resize(name, self.shared.sizes.of(name))
        part = ProviderPart(self.shared, provider, checks)
        return self._supervise(f"{name}.Supervisor", *part.children())

    def _supervise(self, name: str, *children: ChildSpec) -> Supervisor:
        max_restarts, max_seconds = self.shared.settings.supervision.limits(len(children))
        return Supervisor(
            children,
            name=name,
            strategy="one_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )
