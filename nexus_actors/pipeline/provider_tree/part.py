"""One provider's part of the tree.

NAME.Supervisor (one_for_one)
├─ NAME.Breaker
├─ NAME.RateLimiter      only with limits per minute
├─ NAME.Server           only for a kind with a process of its own
├─ NAME.Pool             keeps the children equal to what `children` lists
└─ NAME.Worker.1 …       as many as `PoolSizes` says
"""

from collections.abc import Callable, Sequence
from functools import partial

from nexus_actors.admission.before_call import Checks
from nexus_actors.admission.provider_breaker import ProviderBreaker
from nexus_actors.admission.rate_limiter import RateLimiter
from nexus_actors.pipeline.provider_pool import ProviderPool, worker_name
from nexus_actors.pipeline.provider_tree.terms import TermsInForce
from nexus_actors.pipeline.provider_worker import ProviderWorker
from nexus_actors.providers.port import ProviderKind, ServedKind
from nexus_actors.settings.model import Provider
from nexus_actors.shared import Shared
from supervisors import ChildSpec, GenServer


class ProviderPart:
    """Child specs of one provider. Made at each start of the provider's supervisor."""

    def __init__(self, shared: Shared, provider: Provider, checks: Checks) -> None:
        """The provider must have its queue in the in-work table already."""
        self._shared = shared
        self._checks = checks
        self._name = provider.name
        kind, self._servers = _served(provider)
        self._terms = TermsInForce(shared, provider, kind)
        self._specs: dict[str, ChildSpec] = {}

    def children(self) -> Sequence[ChildSpec]:
        """Renew the terms, and list the children that belong here now, in start order."""
        self._terms.renew()
        name, workers = self._name, self._shared.in_work.workers(self._name)
        pool = f"{name}.Pool"
        return [
            self._spec(f"{name}.Breaker", self._breaker),
            *([self._spec(self._terms.limiter, self._limiter)] if self._terms.now.accounts else []),
            *self._servers,
            self._spec(pool, lambda: ProviderPool(self._shared, name, self.children)),
            *(self._worker(number) for number in range(1, workers + 1)),
        ]

    def _spec(self, name: str, start: Callable[[], GenServer]) -> ChildSpec:
        if name not in self._specs:
            self._specs[name] = ChildSpec(name, start, name=self._shared.registry.via(name))
        return self._specs[name]

    def _worker(self, number: int) -> ChildSpec:
        """Transient: a worker that ends normally is one too many, or its pool starts it again."""
        name = worker_name(self._name, number)
        if name not in self._specs:
            via = self._shared.registry.via
            pool = via(f"{self._name}.Pool")
            start = partial(
                ProviderWorker, self._shared, self._terms, self._checks, pool, number=number
            )
            self._specs[name] = ChildSpec(name, start, restart="transient", name=via(name))
        return self._specs[name]

    def _breaker(self) -> ProviderBreaker:
        return ProviderBreaker(self._name, self._shared.gates, self._shared.in_work)

    def _limiter(self) -> RateLimiter:
        return RateLimiter(
            store=self._shared.store,
            accounts=self._terms.now.accounts,
            outages=self._shared.outages,
        )


def _served(provider: Provider) -> tuple[ProviderKind, Sequence[ChildSpec]]:
    """The kind as the workers use it, and the spec of its server, if it has one."""
    if not isinstance(provider.kind, ServedKind):
        return provider.kind, []
    served = provider.kind.serve(provider.name, provider.settings)
    return served, [ChildSpec(f"{provider.name}.Server", served.server)]
