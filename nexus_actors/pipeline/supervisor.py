"""The pipeline's part of the tree: who is started in which order, and which channel joins whom."""

import math
from dataclasses import dataclass, field

import trio

from nexus_actors.admission.buckets import Account, make_buckets
from nexus_actors.admission.checks import Checks
from nexus_actors.admission.gates import Gates
from nexus_actors.admission.model_quirks import ModelQuirks
from nexus_actors.admission.provider_breaker import ProviderBreaker
from nexus_actors.admission.provider_limits import ProviderLimits
from nexus_actors.admission.quirks import Quirks
from nexus_actors.admission.rate_limiter import RateLimiter
from nexus_actors.pipeline.lane import Lane
from nexus_actors.pipeline.lease_keeper import RELEASE_TIMEOUT, LeaseKeeper
from nexus_actors.pipeline.provider_pool import ProviderPool
from nexus_actors.pipeline.provider_worker import ProviderWorker
from nexus_actors.pipeline.queue_consumer import QueueConsumer
from nexus_actors.pipeline.result_publisher import FLUSH_TIMEOUT, ResultPublisher
from nexus_actors.pipeline.router import Router
from nexus_actors.pipeline.stream_publisher import StreamPublisher
from nexus_actors.providers.port import ProviderKind, ServedKind
from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import Provider, Settings
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.ports import AnswerSpool, Hints, RequestStore
from nexus_actors.storage.quirks import QuirkStore
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from nexus_actors.work.metrics import Metrics
from nexus_actors.work.text_streams import TextStreams
from supervisors import Caller, ChildSpec, Registry, Supervisor

MARGIN = 5.0
"""Seconds that a child is given beyond its own deadline before it is killed."""


@dataclass(slots=True)
class Pipeline:
    """What the pipeline's parts are made from. `supervisor()` makes the channels and the specs
    anew.
    """

    settings: Settings
    registry: Registry
    store: RequestStore
    quirk_store: QuirkStore
    spool: AnswerSpool
    hints: Hints
    in_work: InWork
    metrics: Metrics
    gates: Gates
    quirks: Quirks
    streams: TextStreams
    outages: Outages
    checks: Checks = field(init=False)

    def supervisor(self) -> Supervisor:
        """Start order is the reverse of a request's way, so that stopping in reverse is the drain.

        Handing on to the Router and to the publisher never waits and never fails: what bounds these
        channels is the demand (`InWork.quantity`), since each job in them is in the table.
        """
        settings, queue = self.settings, self.settings.queue
        self.in_work.draining = False
        to_router, routable = trio.open_memory_channel[Job](math.inf)
        to_publisher, finished = trio.open_memory_channel[Job](math.inf)
        lanes: dict[str, Lane] = {}
        routes = Routes(settings)
        hosts, budgets = settings.security.allowed_hosts, settings.budgets
        longest = queue.max_throttled_hours * 3600
        self.checks = Checks(hosts, budgets, routes.catalog, self.store, longest)
        return self._supervise(
            "Pipeline.Supervisor",
            ChildSpec(
                "LeaseKeeper",
                lambda: LeaseKeeper(
                    visibility_timeout=float(queue.visibility_timeout),
                    store=self.store,
                    in_work=self.in_work,
                    outages=self.outages,
                ),
                shutdown=RELEASE_TIMEOUT + MARGIN,
            ),
            ChildSpec(
                "ResultPublisher",
                lambda: ResultPublisher(
                    batch_size=queue.batch_size,
                    store=self.store,
                    spool=self.spool,
                    in_work=self.in_work,
                    metrics=self.metrics,
                    outages=self.outages,
                    jobs=finished,
                ),
                shutdown=FLUSH_TIMEOUT + MARGIN,
            ),
            ChildSpec(
                "StreamPublisher",
                lambda: StreamPublisher(
                    store=self.store, streams=self.streams, outages=self.outages
                ),
            ),
            ChildSpec(
                "ModelQuirks",
                lambda: ModelQuirks(
                    store=self.quirk_store,
                    hints=self.hints,
                    quirks=self.quirks,
                    outages=self.outages,
                ),
            ),
            ChildSpec(
                "Providers.Supervisor",
                lambda: self._providers(lanes, to_router, to_publisher),
                type="supervisor",
            ),
            ChildSpec(
                "Router",
                lambda: Router(
                    routes=routes,
                    max_attempts=queue.max_attempts,
                    holds=queue.on_no_key == "hold",
                    most_throttled=longest,
                    store=self.store,
                    in_work=self.in_work,
                    jobs=routable,
                    lanes=lanes,
                    gates=self.gates,
                    allowed_hosts=settings.security.allowed_hosts,
                    bounds=settings.requests.bounds,
                    outages=self.outages,
                    to_publisher=to_publisher,
                ),
            ),
            ChildSpec(
                "QueueConsumer",
                lambda: QueueConsumer(
                    queue=queue,
                    drain_timeout=settings.service.drain_timeout,
                    bounds=settings.requests.bounds,
                    store=self.store,
                    hints=self.hints,
                    in_work=self.in_work,
                    outages=self.outages,
                    to_router=to_router,
                    to_publisher=to_publisher,
                ),
                shutdown=settings.service.drain_timeout + MARGIN,
            ),
        )

    def _providers(
        self,
        lanes: dict[str, Lane],
        to_router: trio.MemorySendChannel[Job],
        to_publisher: trio.MemorySendChannel[Job],
    ) -> Supervisor:
        def spec(provider: str) -> ChildSpec:
            return ChildSpec(
                f"{provider}.Supervisor",
                lambda: self._provider(provider, lanes, to_router, to_publisher),
                type="supervisor",
            )

        specs = (spec(provider) for provider in self.settings.providers)
        return self._supervise("Providers.Supervisor", *specs)

    def _provider(
        self,
        provider: str,
        lanes: dict[str, Lane],
        to_router: trio.MemorySendChannel[Job],
        to_publisher: trio.MemorySendChannel[Job],
    ) -> Supervisor:
        """One provider: its lane, its pool, its workers."""
        configured = self.settings.providers[provider]
        settings = configured.settings
        lane = lanes[provider] = Lane(self.in_work.capacity(provider))
        pool, breaker = f"{provider}.Pool", f"{provider}.Breaker"
        workers = [f"{provider}.Worker.{n}" for n in range(1, settings.pool_size + 1)]

        kind, servers = _served(configured)
        limiter = f"{provider}.RateLimiter"
        accounts = _accounts(configured)
        limits = ProviderLimits(
            provider=provider,
            settings=settings,
            keys=[key.name for key in configured.api_keys],
            gates=self.gates,
            in_work=self.in_work,
            breaker=self.registry.via(breaker),
            limiter=None if not accounts else self.registry.via(limiter),
        )
        limiter_spec = ChildSpec(
            limiter,
            lambda: RateLimiter(store=self.store, accounts=accounts, outages=self.outages),
            name=self.registry.via(limiter),
        )

        def new_breaker() -> ProviderBreaker:
            return ProviderBreaker(provider=provider, gates=self.gates, in_work=self.in_work)

        def new_pool() -> ProviderPool:
            return ProviderPool(
                provider=provider,
                workers=workers,
                max_attempts=self.settings.queue.max_attempts,
                registry=self.registry,
                in_work=self.in_work,
                lane=lane,
                to_router=to_router,
                to_publisher=to_publisher,
            )

        def new_worker() -> ProviderWorker:
            return ProviderWorker(
                provider=provider,
                kind=kind,
                settings=settings,
                api_keys=[key.secret for key in configured.api_keys],
                max_attempts=self.settings.queue.max_attempts,
                holds=self.settings.queue.on_no_key == "hold",
                in_work=self.in_work,
                metrics=self.metrics,
                lane=lane,
                limits=limits,
                checks=self.checks,
                streams=self.streams,
                quirks=self.quirks,
                pool=self.registry.via(pool),
                to_router=to_router,
                to_publisher=to_publisher,
            )

        return self._supervise(
            f"{provider}.Supervisor",
            ChildSpec(breaker, new_breaker, name=self.registry.via(breaker)),
            *([limiter_spec] if accounts else []),
            *servers,
            ChildSpec(pool, new_pool, name=self.registry.via(pool)),
            *(ChildSpec(name, new_worker, name=self.registry.via(name)) for name in workers),
        )

    def _supervise(self, name: str, *children: ChildSpec) -> Supervisor:
        max_restarts, max_seconds = self.settings.supervision.limits(len(children))
        return Supervisor(
            children,
            name=name,
            strategy="one_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )


def _served(configured: Provider) -> tuple[ProviderKind, list[ChildSpec]]:
    """The kind as the workers use it, and the server that it wants beside them, if it does."""
    if not isinstance(configured.kind, ServedKind):
        return configured.kind, []
    served = configured.kind.serve(configured.name, configured.settings)
    return served, [ChildSpec(f"{configured.name}.Server", served.server)]


def _accounts(configured: Provider) -> dict[int, Account[Caller]]:
    """What each key may be used for a minute, by its place; none where there is no limit."""
    settings = configured.settings
    secrets = [key.secret.get_secret_value() for key in configured.api_keys] or [""]
    accounts = {}
    for place, secret in enumerate(secrets):
        buckets = make_buckets(
            configured.name,
            secret,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
        )
        if buckets:
            accounts[place] = Account[Caller](buckets)
    return accounts
