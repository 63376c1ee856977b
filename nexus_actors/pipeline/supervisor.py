"""The pipeline's part of the tree: who is started in which order, and which channel joins whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import trio

from nexus_actors.admission.before_call import Checks
from nexus_actors.admission.buckets import Account, make_buckets
from nexus_actors.admission.model_quirks import ModelQuirks
from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.admission.provider_breaker import ProviderBreaker
from nexus_actors.admission.rate_limiter import RateLimiter
from nexus_actors.config_file import LONGEST_DRAIN
from nexus_actors.pipeline.lease_keeper import RELEASE_TIMEOUT, LeaseKeeper
from nexus_actors.pipeline.provider_pool import ProviderPool
from nexus_actors.pipeline.provider_worker import ProviderWorker
from nexus_actors.pipeline.queue_consumer import QueueConsumer
from nexus_actors.pipeline.result_publisher import FLUSH_TIMEOUT, ResultPublisher
from nexus_actors.pipeline.router import Router
from nexus_actors.pipeline.stream_publisher import StreamPublisher
from nexus_actors.providers.port import ProviderKind, ServedKind
from nexus_actors.settings.model import Provider
from nexus_actors.shared import Shared
from nexus_actors.storage.quirks import QuirkStore
from supervisors import Caller, ChildSpec, Supervisor

MARGIN = 5.0
"""Seconds that a child is given beyond its own deadline before it is killed."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Makes the pipeline's supervisors, each with its channels and specs anew."""

    shared: Shared
    quirk_store: QuirkStore

    def supervisor(self) -> Supervisor:
        """Start order is the reverse of a request's way, so that stopping in reverse is the drain.

        The in-work table rings the Router and the publisher when there are jobs for them.
        """
        shared = self.shared
        to_router, unrouted = trio.open_memory_channel[None](1)
        to_publisher, answered = trio.open_memory_channel[None](1)
        shared.in_work.connect(to_router, to_publisher)
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
            ChildSpec("ModelQuirks", self._model_quirks),
            ChildSpec("Providers.Supervisor", lambda: self._providers(checks), type="supervisor"),
            ChildSpec("Router", lambda: Router(shared, unrouted)),
            ChildSpec(
                "QueueConsumer",
                lambda: QueueConsumer(shared),
                shutdown=LONGEST_DRAIN + MARGIN,  # it keeps to the setting, which may change
            ),
        )

    def _model_quirks(self) -> ModelQuirks:
        return ModelQuirks(
            store=self.quirk_store,
            hints=self.shared.hints,
            quirks=self.shared.quirks,
            outages=self.shared.outages,
        )

    def _providers(self, checks: Checks) -> Supervisor:
        def spec(provider: Provider) -> ChildSpec:
            return ChildSpec(
                f"{provider.name}.Supervisor",
                lambda: self._provider(provider, checks),
                type="supervisor",
            )

        specs = map(spec, self.shared.settings.providers.values())
        return self._supervise("Providers.Supervisor", *specs)

    def _provider(self, provider: Provider, checks: Checks) -> Supervisor:
        """One provider: its circuits, its limits, its pool, its workers."""
        shared, registry, name = self.shared, self.shared.registry, provider.name
        kind, servers = _served(provider)
        accounts = _accounts(provider)
        breaker, limiter, pool = (f"{name}.{it}" for it in ("Breaker", "RateLimiter", "Pool"))
        workers = [f"{name}.Worker.{n}" for n in range(1, provider.settings.pool_size + 1)]
        admission = ProviderAdmission(
            name,
            provider.settings,
            keys=[key.name for key in provider.api_keys],
            gates=shared.gates,
            concurrency=shared.in_work.concurrency(name),
            breaker=registry.via(breaker),
            limiter=registry.via(limiter) if accounts else None,
        )

        def new_breaker() -> ProviderBreaker:
            return ProviderBreaker(name, shared.gates, shared.in_work)

        def new_limiter() -> RateLimiter:
            return RateLimiter(store=shared.store, accounts=accounts, outages=shared.outages)

        def new_worker() -> ProviderWorker:
            return ProviderWorker(shared, provider, kind, admission, checks, registry.via(pool))

        return self._supervise(
            f"{name}.Supervisor",
            ChildSpec(breaker, new_breaker, name=registry.via(breaker)),
            *([ChildSpec(limiter, new_limiter, name=registry.via(limiter))] if accounts else []),
            *servers,
            ChildSpec(pool, lambda: ProviderPool(shared, name, workers), name=registry.via(pool)),
            *(ChildSpec(worker, new_worker, name=registry.via(worker)) for worker in workers),
        )

    def _supervise(self, name: str, *children: ChildSpec) -> Supervisor:
        max_restarts, max_seconds = self.shared.settings.supervision.limits(len(children))
        return Supervisor(
            children,
            name=name,
            strategy="one_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )


def _served(provider: Provider) -> tuple[ProviderKind, Sequence[ChildSpec]]:
    """The kind as the workers use it, and the server that it wants beside them, if it does."""
    if not isinstance(provider.kind, ServedKind):
        return provider.kind, []
    served = provider.kind.serve(provider.name, provider.settings)
    return served, [ChildSpec(f"{provider.name}.Server", served.server)]


def _accounts(provider: Provider) -> dict[int, Account[Caller]]:
    """What each key may be used for a minute, by its place; none where there is no limit."""
    settings = provider.settings
    secrets = [key.secret.get_secret_value() for key in provider.api_keys] or [""]
    accounts = {}
    for place, secret in enumerate(secrets):
        buckets = make_buckets(
            provider.name,
            secret,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
        )
        if buckets:
            accounts[place] = Account[Caller](buckets)
    return accounts
