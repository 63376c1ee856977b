"""A kind of provider behind HTTP, as `catalog.py` finds it: its settings and its API.

The code that makes calls is imported with the first session, since reading settings does not need
it.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from pydantic import SecretStr

from nexus_actors.providers.http.settings import HttpSettings, is_header_value
from nexus_actors.providers.port import ProviderFailure, ProviderSession, ProviderSettings

if TYPE_CHECKING:
    from nexus_actors.providers.http.api import HttpApi
    from nexus_actors.providers.http.probe import ProbeResult

S = TypeVar("S", bound=HttpSettings)


class HttpKind(Generic[S]):
    """A kind of provider behind HTTP."""

    def __init__(self, settings: type[S], api_of: "Callable[[S], HttpApi]") -> None:
        self.settings: type[ProviderSettings] = settings
        self._api_of = api_of

    def open(
        self, name: str, settings: S, api_key: SecretStr | None
    ) -> AbstractAsyncContextManager[ProviderSession]:
        """Open a session for one worker. Raises ValueError, at once, for a key that cannot be
        sent."""
        from nexus_actors.providers.http.provider import open_session

        return open_session(name, settings, _checked_key(settings, api_key), self._api_of(settings))

    async def probe(
        self, settings: ProviderSettings, api_key: SecretStr | None, *, timeout: float
    ) -> "ProbeResult | ProviderFailure":
        """See `probe.probe`. The settings must be of this kind. Raises ValueError for a key that
        cannot be sent."""
        from nexus_actors.providers.http.probe import probe

        own = cast("S", settings)
        return await probe(own, _checked_key(own, api_key), self._api_of(own), timeout=timeout)


def _checked_key(settings: HttpSettings, api_key: SecretStr | None) -> str:
    if api_key is None:
        return ""
    # Files and shells add a line end, which is not part of the key.
    key = api_key.get_secret_value().strip()
    if not key or not is_header_value(key):
        where = settings.api_key_env or "the variable of the API key"
        raise ValueError(f"{where} must hold a key of printable ASCII characters")
    return key
