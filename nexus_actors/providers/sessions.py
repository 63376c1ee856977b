"""One worker's sessions with its provider, one for each key that it uses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from nexus_actors.providers.port import ProviderKind, ProviderSession, ProviderSettings


class Sessions:
    """Sessions are opened when first needed and closed together at the end."""

    def __init__(
        self,
        kind: ProviderKind,
        name: str,
        settings: ProviderSettings,
        keys: Sequence[SecretStr | None],
        stack: AsyncExitStack,
    ) -> None:
        self._kind = kind
        self._name = name
        self._settings = settings
        self._keys = keys
        self._stack = stack
        self._open: dict[int, ProviderSession] = {}

    async def get(self, key: int) -> ProviderSession:
        """The session for the key at this index."""
        if key not in self._open:
            session = self._kind.open(self._name, self._settings, self._keys[key])
            self._open[key] = await self._stack.enter_async_context(session)
        return self._open[key]


@asynccontextmanager
async def open_sessions(
    kind: ProviderKind,
    name: str,
    settings: ProviderSettings,
    keys: Sequence[SecretStr | None],
) -> AsyncIterator[Sessions]:
    """Open the first session at once, so that a broken provider fails at its start."""
    async with AsyncExitStack() as stack:
        sessions = Sessions(kind, name, settings, keys, stack)
        await sessions.get(0)
        yield sessions
