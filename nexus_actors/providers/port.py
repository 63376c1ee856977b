"""The port behind which all providers are.

A provider kind is one file in this folder, named like the `kind` in the config, with a module-level
`PROVIDER: ProviderKind`. Nothing else has to change to add one: `catalog.py` finds it.

A worker holds one session and makes one call at a time on it, so a session needs no connection
pool. A shared pool is what makes thousands of parallel calls slow.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self, runtime_checkable

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_serializer,
    model_validator,
)

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, CostBasis
from nexus_actors.providers.takes import Takes, model_takes, with_changes

if TYPE_CHECKING:
    from supervisors import GenServer

Scope = Literal["request", "key", "provider"]
"""What is at fault: this request, the key that was used, or the provider as a whole."""


def _as_tuple(given: Any) -> Any:
    # A kind may read its table before validation, when TOML arrays are still lists.
    return tuple(given) if isinstance(given, list) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class ModelSettings(BaseModel):
    """What a config knows better than the price list: `[providers.NAME.models."MODEL"]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context_window: int | None = Field(default=None, ge=1)
    """The most tokens of input and output together."""
    max_output_tokens: int | None = Field(default=None, ge=1)
    """The longest answer, in tokens."""
    input_price: float | None = Field(default=None, ge=0)
    """US dollars per million input tokens. Needs `output_price`."""
    cached_input_price: float | None = Field(default=None, ge=0)
    """US dollars per million tokens read from the provider's cache. Without it, `input_price`."""
    output_price: float | None = Field(default=None, ge=0)
    """US dollars per million output tokens. Needs `input_price`."""
    takes: Takes | None = None
    """What the model accepts, where the built-in list (`models.toml`) is wrong or silent. What is
    not given stays as the list has it."""

    def laid_over(self, takes: Takes) -> Takes:
        """Merge these settings into what is known of the model."""
        changed = with_changes(takes, self.takes)
        if self.max_output_tokens is None:
            return changed
        return changed.model_copy(update={"max_output_tokens": self.max_output_tokens})

    @model_validator(mode="after")
    def _check_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            lacking = "input_price" if self.input_price is None else "output_price"
            raise ValueError(f"{lacking}: expected input_price and output_price both, or neither")
        if self.cached_input_price is not None and self.input_price is None:
            raise ValueError("input_price: expected it and output_price beside cached_input_price")
        return self

    @field_serializer("takes")
    def _show_changes(self, takes: Takes | None) -> dict[str, Any] | None:
        # Show only what the config sets: the rest comes from models.toml.
        return None if takes is None else takes.model_dump(mode="json", exclude_unset=True)


class ProviderSettings(BaseModel):
    """Settings every provider has; a kind adds its own by subclassing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """The kind of provider; it decides which further settings there are."""
    api_key_env: str | Names | None = None
    """The name of the environment variable that holds the key, or a list of names for several keys.
    A provider none of whose keys can be read is left out, with a warning."""
    api_key_file: str | Names | None = None
    """The file that holds the key (mode 0600), or a list of files."""
    key_rest_seconds: float = Field(default=300.0, gt=0, le=86_400)
    """How long a key that was refused, or whose quota is spent, is not used."""
    pool_size: int = Field(default=8, ge=1, le=10_000)
    """The number of workers, and so the most concurrent calls of one process."""
    timeout: float = Field(default=120.0, gt=0)
    """How long one call may take."""
    max_retries: int = Field(default=2, ge=0, le=100)
    """How often a failed call is repeated at this provider before the route's next model is tried.
    """
    breaker_failures: int = Field(default=5, ge=1, le=10_000)
    """Consecutive failures of a model that open its circuit."""
    breaker_seconds: float = Field(default=10.0, gt=0, le=3600)
    """How long the circuit is open the first time; twice as long each time the probe fails."""
    breaker_seconds_max: float = Field(default=300.0, gt=0, le=86_400)
    """The longest time that the circuit is open."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Rate limit of each key, shared by all processes on the database."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Rate limit of each key, input and output together, shared by all processes on the database.
    An estimate is reserved before a call and corrected by its answer."""
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    """Facts about models, by the model's name; see below."""

    def server(self, request: LLMRequest) -> str | None:
        """The name in `models.toml` of the server that answers this request; None if it has
        none."""
        return None

    def takes(self, model: str, request: LLMRequest) -> Takes:
        """What `model` accepts through the API that this request uses. Everything, if `models.toml`
        does not know the server."""
        server = self.server(request)
        known = Takes() if server is None else model_takes(server, model)
        configured = self.models.get(model)
        return known if configured is None else configured.laid_over(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFailure:
    """A failed call, classified by evidence (`providers/failures.py`)."""

    type: str
    """A name from `contract.errors`."""
    message: str
    """Bounded, without secrets and without the prompt."""
    retryable: bool
    """True if the same call may succeed on this provider a moment later."""
    scope: Scope = "provider"
    """A failure of scope `request` ends the request's stay at this provider, but says nothing about
    the provider."""
    suspects: Literal["key"] | None = None
    """The key may be at fault. One response does not prove it: the next request's will."""
    status_code: int | None = None
    retry_after: float | None = None
    """Seconds that the provider asked to wait."""
    maybe_paid: bool = False
    """Whether the provider may have done the work although no answer arrived."""
    dropped: tuple[str, ...] = ()
    """See `Answer.dropped`."""
    refused_field: str | None = None
    """The optional field that the provider refused, by its name in `LLMRequest`: the call is worth
    repeating once without it."""
    refused_value: bool = False
    """Only the field's value, or a combination of fields, was refused: nothing is remembered."""
    repeat_once: bool = False
    """Worth at most one more try, since each is paid for."""
    cost: float | None = None
    """US dollars that the failed call has cost, if known."""
    cost_basis: CostBasis | None = None
    """Where `cost` comes from; None if the call is not known to have cost anything."""
    instead: Answer | None = None
    """An empty answer. It is used if the one more try (`repeat_once`) brings no better one; its
    cost is recorded with its own attempt."""


Outcome = Answer | ProviderFailure
NOTHING: Mapping[str, str] = MappingProxyType({})
OnText = Callable[[str], None]
"""Called with each piece of a streamed answer's text as it arrives. Must not block or raise."""


class ProviderSession(Protocol):
    """One worker's session with the provider."""

    async def complete(
        self,
        request: LLMRequest,
        model: str,
        *,
        timeout: float,
        on_text: OnText | None = None,
        without: Mapping[str, str] = NOTHING,
        key_name: str | None = None,
    ) -> Outcome:
        """Make one call, without retrying, bounded by `timeout` seconds.

        `without`: fields of the request to leave out, with the reasons, which `dropped` reports.
        `key_name`: the name of the session's key; provider state is sealed for it.

        With `on_text`, the answer is streamed if the provider supports that. The whole answer is
        returned in any case. Text that was passed on before a failure belongs to no answer.
        Cancellation closes the connection; the provider may still charge for the call.
        """
        ...


class ProviderKind(Protocol):
    """What a provider's module exports as `PROVIDER`."""

    settings: type[ProviderSettings]

    def open(
        self, name: str, settings: Any, api_key: SecretStr | None
    ) -> AbstractAsyncContextManager[ProviderSession]:
        """Open a session for one worker. `name` is the provider's name in the config."""
        ...


class Served(ProviderKind, Protocol):
    """A kind bound to one provider whose server runs beside the workers, below the same supervisor.
    Its sessions find the server, also after a restart."""

    def server(self) -> "GenServer":
        """Make the actor that runs the server; called at each start and restart."""
        ...


@runtime_checkable
class ServedKind(Protocol):
    """What the module of a kind with a server exports as `PROVIDER`, instead of a ProviderKind."""

    settings: type[ProviderSettings]
    server_settings: frozenset[str]
    """Names of settings that apply only when the server is started."""

    def missing(self, settings: Any) -> str | None:
        """Why the server cannot run on this machine, and what to do about it; None if it can. The
        provider is then left out."""
        ...

    def serve(self, name: str, settings: Any) -> Served:
        """Bind the kind to the provider of this name."""
        ...
