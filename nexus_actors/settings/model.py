"""The settings as values. Sections and names are fixed: other people's tools write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from nexus_actors.config_file import DEFAULT_DATA_DIR, DRAIN_TIMEOUT, LONGEST_DRAIN
from nexus_actors.contract.bounds import DEFAULTS, WIDEST, Bounds
from nexus_actors.contract.request import Complexity
from nexus_actors.providers.http.settings import has_good_port
from nexus_actors.providers.port import ProviderKind, ProviderSettings, ServedKind
from nexus_actors.settings.listen import EXPECTED, parse_listen


class Section(BaseModel):
    """What all sections have in common: no unknown keys, no change, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ServiceSettings(Section):
    """`[service]`"""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_.-]{1,63}$",
            json_schema_extra={"expected": "1 to 63 letters, digits, dots, - or _"},
        ),
    ] = "nexus"
    """Stands in logs and in the name of the database connection."""
    data_dir: Path = Path(DEFAULT_DATA_DIR)
    """Lock, socket and the embedded server's files. Absolute, `~` expanded."""
    drain_timeout: Annotated[float, Field(ge=0, le=LONGEST_DRAIN)] = DRAIN_TIMEOUT
    """Seconds running calls get to finish at a stop."""
    spool_megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """What `answers.spool` in `data_dir` may take: answers that the database cannot take yet."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    log_format: Literal["console", "json"] = "console"


class DatabaseSettings(Section):
    """`[database]`"""

    url: SecretStr = SecretStr("")
    """Where it came from does not matter here. Empty: the embedded server in data_dir."""
    url_file: str = ""
    """The file it was read from, if the config names one."""
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 8
    """Connections for statements; one more keeps the leases, and one listens."""
    statement_timeout: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Seconds for one statement."""
    wait: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """Seconds that a start waits for a database that cannot be reached yet."""

    @property
    def embedded(self) -> bool:
        """Whether the service runs a PostgreSQL of its own."""
        return not self.url.get_secret_value()


QueueName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9_]{1,47}$",
        json_schema_extra={"expected": "1 to 47 lower-case letters, digits or _"},
    ),
]


class QueueSettings(Section):
    """`[queue]`"""

    requests: QueueName = "ai_requests"
    results: QueueName = "ai_results"
    dead: QueueName = "ai_requests_dead"
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Messages read, and requests finished, in one statement at most."""
    poll_interval: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """Seconds between looks at an idle queue; a notification is quicker."""
    visibility_timeout: Annotated[float, Field(ge=1, le=43_200)] = 60.0
    """Seconds a message in work stays invisible; extended while it is in work."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """Calls to providers that one request may cost."""
    max_throttled_hours: Annotated[float, Field(gt=0, le=8760)] = 24.0
    """Hours that a request without a `timeout` waits while it is answered 429, or has no key."""
    on_no_key: Literal["hold", "fail"] = "hold"
    """What becomes of a request while each provider of its route has refused all of its keys."""
    acknowledge: Literal["archive", "delete"] = "archive"
    message_megabytes: Annotated[int, Field(ge=1, le=255)] = 10
    """A request of more bytes as text is refused without being fetched."""
    memory_megabytes: Annotated[int, Field(ge=16, le=1_000_000)] = 256
    """Of requests in work, as text, and of answers not yet published; while they take more, no
    further ones are read."""

    @property
    def throttled_seconds(self) -> float:
        """`max_throttled_hours` in seconds."""
        return self.max_throttled_hours * 3600


class ResultPollerSettings(Section):
    """`[result_poller]`"""

    enabled: bool = True


class AdminSettings(Section):
    """`[admin]`"""

    listen: Annotated[str, Field(json_schema_extra={"expected": EXPECTED})] = ""
    """Where `/metrics` and `/health` are served; empty: nowhere. See `listen.py`."""

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, text: str) -> str:
        parse_listen(text)
        return text


class TokenSettings(Section):
    """One of `[dashboard.tokens]`: who may look, or act, and with what he proves that it is he."""

    role: Literal["read", "operate"]
    """`operate` may act; `read` only looks."""
    token_file: Annotated[str, Field(min_length=1)]
    """The file that holds the token; see `secret_files.read_secret`."""


class DashboardSettings(Section):
    """`[dashboard]`: pages where `[admin] listen` is."""

    enabled: bool = True
    show_messages: bool = False
    """Whether whoever may operate may look at what requests and answers say."""
    loopback: Literal["read", "operate", "token"] = "read"
    """What whoever connects from this machine may do without a token, where there are none."""
    url: SecretStr = SecretStr("")
    """The database as the operator's role; empty: as the service's."""
    url_file: str = ""
    tokens: dict[str, TokenSettings] = Field(default_factory=dict)
    """By the name that the audit has."""


class SupervisionSettings(Section):
    """`[supervision]`: what is set holds for every supervisor, whatever its size."""

    max_restarts: Annotated[int, Field(ge=0, le=100_000)] | None = None
    max_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None

    def limits(self, children: int) -> tuple[int, float]:
        """How many restarts a supervisor of so many children allows, within how many seconds.

        Two a child: one fault that crashes them all, and the same once more, is no reason to end
        the calls of those that work.
        """
        restarts, seconds = self.max_restarts, self.max_seconds
        return (
            max(2 * children, 3) if restarts is None else restarts,
            max(float(children), 5.0) if seconds is None else seconds,
        )


class SecuritySettings(Section):
    """`[security]`"""

    allowed_hosts: tuple[str, ...] = ("*",)
    """Globs for the hosts of URLs that requests bring along; of those that `*` or another glob
    allows, public ones only."""
    remote: bool = True
    """Whether `nexus remote` may open a prompt inside the service."""


class RequestSettings(Section):
    """`[requests]`: what one request may hold; see `contract.bounds.Bounds`."""

    max_values: Annotated[int, Field(ge=100, le=WIDEST.max_values)] = DEFAULTS.max_values
    max_parts: Annotated[int, Field(ge=1, le=WIDEST.max_parts)] = DEFAULTS.max_parts
    max_tools: Annotated[int, Field(ge=1, le=WIDEST.max_tools)] = DEFAULTS.max_tools
    max_urls: Annotated[int, Field(ge=0, le=WIDEST.max_urls)] = DEFAULTS.max_urls
    max_hosts: Annotated[int, Field(ge=0, le=WIDEST.max_hosts)] = DEFAULTS.max_hosts

    @cached_property
    def bounds(self) -> Bounds:
        """As they are handed on to those who read requests."""
        return Bounds(**self.model_dump())


class RetentionSettings(Section):
    """`[retention]`: 0 keeps for ever."""

    archive_days: Annotated[float, Field(ge=0, le=36_500)] = 30.0
    """Of requests and results that are finished, in their queues' archives."""
    archive_count: Annotated[int, Field(ge=0)] = 0
    """The most messages that each archive keeps, about."""
    journal_days: Annotated[float, Field(ge=0, le=36_500)] = 90.0
    """A request_id is known as a duplicate for as long."""
    journal_count: Annotated[int, Field(ge=0)] = 0
    dead_days: Annotated[float, Field(ge=0, le=36_500)] = 0.0
    dead_count: Annotated[int, Field(ge=0)] = 0
    sums_days: Annotated[float, Field(ge=0, le=36_500)] = 400.0
    """Of sums by hours and days, which the dashboard shows."""


class TracingSettings(Section):
    """`[tracing]`: off without an endpoint."""

    endpoint: str = ""
    """Where the collector takes OTLP over HTTP: what stands before `/v1/traces`."""
    sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of those requests traced that come without a `traceparent`."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """Of the resource, such as `deployment.environment.name`."""

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, text: str) -> str:
        text = text.strip().rstrip("/")
        if not text:
            return ""
        url = urlsplit(text)
        if url.scheme not in ("http", "https") or not url.hostname or not has_good_port(url):
            raise ValueError("expected a URL like http://collector:4318")
        if url.username is not None or url.password is not None:
            raise ValueError(
                "must hold no user name or password: OTEL_EXPORTER_OTLP_HEADERS is for secrets"
            )
        if "?" in text or "#" in text or not text.isascii() or not text.isprintable():
            raise ValueError("must be printable ASCII without a query (?) and a fragment (#)")
        if " " in text or text.endswith("/v1/traces"):
            raise ValueError("must have no blanks, and end before /v1/traces, which is added")
        return text


class BudgetSettings(Section):
    """One of `[budgets.NAME]`: so many US dollars a day or month (UTC)."""

    dollars: Annotated[float, Field(ge=0, le=1e9)]
    per: Literal["day", "month"] = "day"
    agent: str | None = None
    """A glob for the request's `agent_id`; without one, every agent's calls count."""
    provider: str | None = None
    """A provider's name; without one, calls to every provider count."""
    max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 8192
    """The limit of an answer that is sent where a request sets none, and reserved."""
    when_reserved: Literal["wait", "refuse"] = "wait"
    """A call for which there is enough but for what calls under way have reserved, most of which
    they give back: its request waits in the queue, bounded by its timeout; or it is not made."""
    unknown_price: Literal["refuse", "count_as", "ignore"] = "refuse"
    """A call whose most cost nobody knows: not made; reserved at the price given beside it; or made
    without a reservation, and counted if its cost is told."""
    count_as_dollars_per_million: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """What a million tokens, in or out, count as that have no known price."""


class ModelRef(NamedTuple):
    """One model at one provider; `str` of it is how a config names it."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


Pick = Literal["ordered", "weighted", "cheapest"]


@dataclass(frozen=True, slots=True)
class Route:
    """One of `[[routes]]`."""

    complexity: Complexity | Literal["*"]
    task_type: str
    """Normalised, or `*`."""
    models: tuple[ModelRef, ...]
    """In order of preference; those of providers left out included. With `model`, a model `*` is
    the one that was asked for."""
    capabilities: frozenset[str] = frozenset()
    """All of them must be among the request's."""
    agent: str | None = None
    """A glob for the request's `agent_id`."""
    model: str | None = None
    """A glob for the model that the request names; without one, the route is for requests that
    name none."""
    pick: Pick = "ordered"
    weights: tuple[int, ...] = ()
    """Of the models, for `weighted`."""

    @property
    def is_special(self) -> bool:
        """Whether it asks for more than complexity and task type."""
        return bool(self.capabilities) or self.agent is not None or self.model is not None


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One account's key."""

    name: str
    """The environment variable or the file it was read from."""
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One of `[dashboard.tokens]` that can be used."""

    name: str
    role: Literal["read", "operate"]
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class Provider:
    """One of `[providers.NAME]` that can be used."""

    name: str
    settings: ProviderSettings = field(repr=False)
    """An instance of `kind.settings`."""
    kind: ProviderKind | ServedKind = field(repr=False)
    api_keys: tuple[ProviderKey, ...]
    """None where the provider needs none."""

    @property
    def but_for_size(self) -> "Provider":
        """For comparing: how many workers it has does not matter to how it is called."""
        return replace(self, settings=self.settings.model_copy(update={"pool_size": 1}))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A configured provider that cannot be used."""

    name: str
    why: str
    """Such as `OPENAI_API_KEY is not set`."""
    wrong_keys: tuple[tuple[str, str], ...] = ()
    """Those that are set and are none: the variable or file, and what is wrong with it."""

    @property
    def told(self) -> str:
        """The warning of it."""
        return f"provider {self.name} is left out: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything configured. Two are equal if they make the service do the same."""

    service: ServiceSettings
    database: DatabaseSettings
    queue: QueueSettings
    result_poller: ResultPollerSettings
    admin: AdminSettings
    dashboard: DashboardSettings
    supervision: SupervisionSettings
    security: SecuritySettings
    requests: RequestSettings
    retention: RetentionSettings
    tracing: TracingSettings
    budgets: Mapping[str, BudgetSettings]
    """By name."""
    providers: Mapping[str, Provider]
    """By name, in the order of the config."""
    left_out: Mapping[str, LeftOut]
    """By name."""
    routes: tuple[Route, ...]
    access: tuple[AccessToken, ...] = ()
    """Of `[dashboard.tokens]`: those whose files could be read."""
    warnings: tuple[str, ...] = ()
    """One line each, to be told at start."""
    file: Path | None = field(default=None, compare=False)
    """The config file read, if any."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where a value came from, by dotted path (`queue.batch_size`): `file` or an environment
    variable's name. What is not in it is a default."""
