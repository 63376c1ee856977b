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
    """Those of one moment. A call keeps to the ones it began with."""

    provider: Provider
    kind: ProviderKind
    accounts: Mapping[int, Account[Caller]]
    """What each key may be used for a minute, by its place; none where there is no limit."""
    admission: ProviderAdmission

    @property
    def secrets(self) -> Sequence[SecretStr | None]:
        """Its keys by their place; one that is none where it needs none."""
        return [key.secret for key in self.provider.api_keys] or [None]


class TermsInForce:
    """A provider's terms now, for as long as its supervisor lives. Workers look here between two
    calls."""

    def __init__(self, shared: Shared, provider: Provider, kind: ProviderKind) -> None:
        self._shared = shared
        self._kind = kind
        self.name = provider.name
        self.now = self._made(provider)

    @property
    def limiter(self) -> str:
        """The name of the actor that keeps the limits by the minute, where there are some."""
        return f"{self.name}.RateLimiter"

    def renew(self) -> None:
        """Take up what is configured now, if it differs. What was found out of the provider is
        forgotten then, since it may be another. If it is configured no more, nobody is admitted."""
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
