"""The terms of a provider: everything that is derived from its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from nexus_actors.admission.buckets import Account, make_buckets
from nexus_actors.admission.provider_admission import ProviderAdmission
from nexus_actors.admission.rate_limiter import Renew
from nexus_actors.providers.port import ProviderKind, ServedKind
from nexus_actors.settings.model import Provider
from nexus_actors.shared import Shared
from supervisors import Caller


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """A snapshot. A call keeps the terms that it began with."""

    provider: Provider
    kind: ProviderKind
    accounts: Mapping[int, Account[Caller]]
    """Limits per minute of each key, by the key's index; empty if there are none."""
    admission: ProviderAdmission

    @property
    def secrets(self) -> Sequence[SecretStr | None]:
        """The provider's keys by index; `[None]` if it needs no key."""
        return [key.secret for key in self.provider.api_keys] or [None]


class TermsInForce:
    """The current terms of a provider, for the life of its supervisor. Workers look them up between
    two calls."""

    def __init__(self, shared: Shared, provider: Provider, kind: ProviderKind) -> None:
        self._shared = shared
        self._kind = kind
        self.name = provider.name
        self.now = self._made(provider)

    @property
    def limiter(self) -> str:
        """The name of the actor that applies the limits per minute, if there are any."""
        return f"{self.name}.RateLimiter"

    def renew(self) -> None:
        """Apply the provider's current settings if they differ. What was learnt about the provider
        is then forgotten, since it may be another one. If it is no longer configured, no call is
        admitted."""
        before, limiter = self.now, self._shared.registry.via(self.limiter)
        provider = self._shared.settings.providers.get(self.name)
        if provider is None:
            before.admission.retire()
            limiter.cast(Renew({}))
            return
        if self._are_of(provider):
            return
        before.admission.retire()
        self._shared.gates.open_all(self.name)
        self.now = self._made(provider)
        limiter.cast(Renew(self.now.accounts))
        self._shared.in_work.rouse(self.name)

    def _are_of(self, provider: Provider) -> bool:
        was = self.now
        return was.provider.but_for_size == provider.but_for_size and not was.admission.is_retired

    def _made(self, provider: Provider) -> Terms:
        accounts = _accounts(provider)
        via = self._shared.registry.via
        admission = ProviderAdmission(
            self.name,
            provider.settings,
            keys=[key.name for key in provider.api_keys],
            gates=self._shared.gates,
            concurrency=self._shared.in_work.concurrency(self.name),
            breaker=via(f"{self.name}.Breaker"),
            limiter=via(self.limiter) if accounts else None,
        )
        kind = self._kind if isinstance(provider.kind, ServedKind) else provider.kind
        return Terms(provider, kind, accounts, admission)


def _accounts(provider: Provider) -> dict[int, Account[Caller]]:
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
