"""How many workers each provider is to have: what an operator has set, else what is configured."""

from collections.abc import Callable

from nexus_actors.routing.in_force import InForce
from nexus_actors.work.in_work import InWork


class PoolSizes:
    """The only source of the wanted pool sizes. Passive; made once, beside the in-work table.

    `said` returns what an operator has set for a provider, which outranks the config, or None.
    """

    def __init__(
        self,
        in_force: InForce,
        in_work: InWork,
        said: Callable[[str], int | None] = lambda _provider: None,
    ) -> None:
        self._in_force = in_force
        self._in_work = in_work
        self._said = said

    def of(self, provider: str) -> int:
        """The wanted workers of a provider; 0 if it is no longer configured."""
        configured = self._in_force.settings.providers.get(provider)
        if configured is None:
            return 0
        said = self._said(provider)
        return configured.settings.pool_size if said is None else said

    def apply(self) -> None:
        """Call this when a size may have changed. The limit on calls changes at once. Then the
        pools start missing workers, and surplus ones end after their calls."""
        for name in self._in_work.providers:
            if self._in_work.workers(name) != (workers := self.of(name)):
                self._in_work.resize(name, workers)
        self._in_force.tell()
