"""The settings as values. Sections and names are fixed: other people's tools write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, SecretStr, field_validator

from nexus_actors.config_file import DEFAULT_DATA_DIR, DRAIN_TIMEOUT, LONGEST_DRAIN
from nexus_actors.contract.bounds import DEFAULTS, WIDEST, Bounds
from nexus_actors.contract.request import Complexity
from nexus_actors.providers.port import ProviderKind, ProviderSettings, ServedKind
from nexus_actors.settings.listen import EXPECTED, parse_listen
from nexus_actors.settings.section import Section
from nexus_actors.settings.tracing import TracingSettings


class ServiceSettings(Section):
    """`[service]`"""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_.-]{1,63}$",
            json_schema_extra={"expected": "1 to 63 letters, digits, dots, - or _"},
        ),
    ] = "nexus"
    """The service's name, in logs and in the name of its database connections."""
    data_dir: Path = Path(DEFAULT_DATA_DIR)
    """The folder for the lock, the control socket, the spool and the embedded PostgreSQL. Each
    process needs its own. `~` is the home folder."""
    drain_timeout: Annotated[float, Field(ge=0, le=LONGEST_DRAIN)] = DRAIN_TIMEOUT
    """How long running calls may go on when the service stops."""
    spool_megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    """The largest size of `answers.spool` in `data_dir`, which keeps answers while the database
    cannot store them."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """The least severe log lines that are written. `nexus log-level` overrides it for a time."""
    log_format: Literal["console", "json"] = "console"
    """Readable log lines, or one JSON object per line."""


class DatabaseSettings(Section):
    """`[database]`"""

    url: SecretStr = SecretStr("")
    """`postgresql://USER:PASSWORD@HOST:5432/DATABASE`. Empty: see `url_file`."""
    url_file: str = ""
    """A file that holds the URL (mode 0600). Empty: `SHARED_QUEUE_DB_URL`, else `DATABASE_URL`,
    else the file that `DATABASE_URL_FILE` names, else an embedded PostgreSQL in `data_dir`."""
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 8
    """Connections for statements. A node takes up to 5 more for itself, and up to 3 more if it
    serves the dashboard."""
    statement_timeout: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How long one statement may take; then it is cancelled and tried again."""
    wait: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """How long a start waits for a database that cannot be reached; 0: the start fails at once."""

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
    """The PGMQ queue that requests are read from."""
    results: QueueName = "ai_results"
    """The PGMQ queue of results."""
    dead: QueueName = "ai_requests_dead"
    """The PGMQ queue of dead letters: failed requests, each with the reason."""
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The most messages read, or requests finished, in one statement."""
    poll_interval: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """Time between two polls of an idle queue. A notification usually wakes the service sooner."""
    visibility_timeout: Annotated[float, Field(ge=1, le=43_200)] = 60.0
    """The length of a lease: how long a request stays invisible to other processes unless its lease
    is extended, as it is while the request is in work. After a crash, other processes can take the
    request after this time."""
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 5
    """The most attempts of one request; then it fails with the last error."""
    max_throttled_hours: Annotated[float, Field(gt=0, le=8760)] = 24.0
    """How long a request without a `timeout` of its own may wait because of 429s, missing keys or
    reserved budgets; then it fails."""
    on_no_key: Literal["hold", "fail"] = "hold"
    """What happens to a request while every provider of its route refuses all of our keys: it
    waits (`hold`), or fails as `authentication_failed` (`fail`)."""
    acknowledge: Literal["archive", "delete"] = "archive"
    """Whether finished messages are moved to their queue's archive or deleted."""
    message_megabytes: Annotated[int, Field(ge=1, le=255)] = 10
    """The largest request, as JSON text. A larger one is refused unread."""
    memory_megabytes: Annotated[int, Field(ge=16, le=1_000_000)] = 256
    """The most memory for requests in work and answers not yet published, counted as JSON text.
    While it is used up, no further requests are read."""

    @property
    def throttled_seconds(self) -> float:
        """`max_throttled_hours` in seconds."""
        return self.max_throttled_hours * 3600


class ResultPollerSettings(Section):
    """`[result_poller]`"""

    enabled: bool = True
    """Whether this service stores results in `job_results`. `false`: results stay in the queue
    `results` for another consumer, such as the Elixir application's poller."""


class AdminSettings(Section):
    """`[admin]`"""

    listen: Annotated[str, Field(json_schema_extra={"expected": EXPECTED})] = ""
    """Where `/metrics`, `/health/ready` and the dashboard are served: `HOST:PORT`, `[IPV6]:PORT` or
    `unix:PATH` (relative to `data_dir`). Empty: nowhere."""

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, text: str) -> str:
        parse_listen(text)
        return text


class TokenSettings(Section):
    """One of `[dashboard.tokens]`: a person's or program's access to the dashboard."""

    role: Literal["read", "operate"]
    """`read` may look; `operate` may also act."""
    token_file: Annotated[str, Field(min_length=1)]
    """The file that holds the token: 16 to 512 printable ASCII characters (mode 0600)."""


class DashboardSettings(Section):
    """`[dashboard]`. Served where `[admin] listen` is."""

    enabled: bool = True
    """Whether the dashboard is served where `[admin] listen` is."""
    show_messages: bool = False
    """Whether users with the role `operate` may read the text of requests and answers."""
    loopback: Literal["read", "operate", "token"] = "read"
    """What a connection from this machine may do without a token while no token is configured;
    `token`: nothing."""
    url: SecretStr = SecretStr("")
    """The database URL of the operator's role (`nexus db roles`). Empty: see `url_file`."""
    url_file: str = ""
    """A file that holds that URL (mode 0600). Empty: the dashboard connects as the service does."""
    tokens: dict[str, TokenSettings] = Field(default_factory=dict)
    """Who may log in. The table's name is the user's name in the audit."""


class SupervisionSettings(Section):
    """`[supervision]`. A value that is set applies to every supervisor, whatever its size."""

    max_restarts: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """A supervisor that restarts its children more often than this within `max_seconds` gives up.
    Without it: 2 for each child, at least 3."""
    max_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """The time in which restarts are counted. Without it: 1 second for each child, at least 5."""

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
    """Hosts of the URLs in requests (images, MCP servers) that are passed on to providers. A glob
    allows public hosts only; an internal host must be named in full."""
    remote: bool = True
    """Whether `nexus remote` may open a Python prompt inside the service."""


class RequestSettings(Section):
    """`[requests]`. The most that one request may contain. A larger one is refused."""

    max_values: Annotated[int, Field(ge=100, le=WIDEST.max_values)] = DEFAULTS.max_values
    """JSON values, including those in the arguments of tool calls."""
    max_parts: Annotated[int, Field(ge=1, le=WIDEST.max_parts)] = DEFAULTS.max_parts
    """Messages (or items of `input`), parts of their contents, and tool calls, together."""
    max_tools: Annotated[int, Field(ge=1, le=WIDEST.max_tools)] = DEFAULTS.max_tools
    """Tools, functions and MCP servers, together."""
    max_urls: Annotated[int, Field(ge=0, le=WIDEST.max_urls)] = DEFAULTS.max_urls
    """URLs that a provider would fetch. `data:` URLs do not count."""
    max_hosts: Annotated[int, Field(ge=0, le=WIDEST.max_hosts)] = DEFAULTS.max_hosts
    """Different hosts in these URLs."""

    @cached_property
    def bounds(self) -> Bounds:
        """As they are handed on to those who read requests."""
        return Bounds(**self.model_dump())


class RetentionSettings(Section):
    """`[retention]`. Finished rows that are older or exceed the count are deleted. 0 keeps all."""

    archive_days: Annotated[float, Field(ge=0, le=36_500)] = 30.0
    """How long finished requests and results stay in their queues' archives."""
    archive_count: Annotated[int, Field(ge=0)] = 0
    """The most messages that each archive keeps, approximately."""
    journal_days: Annotated[float, Field(ge=0, le=36_500)] = 90.0
    """How long finished requests stay in the journal (`nexus.requests`). A repeated `request_id` is
    recognised as a duplicate for as long."""
    journal_count: Annotated[int, Field(ge=0)] = 0
    """The most finished requests that the journal keeps, approximately."""
    dead_days: Annotated[float, Field(ge=0, le=36_500)] = 0.0
    """How long dead letters are kept."""
    dead_count: Annotated[int, Field(ge=0)] = 0
    """The most dead letters that are kept, approximately."""
    sums_days: Annotated[float, Field(ge=0, le=36_500)] = 400.0
    """How long the sums by hour and day are kept, which the dashboard shows."""


class BudgetSettings(Section):
    """One of `[budgets.NAME]`: so many US dollars a day or month (UTC)."""

    dollars: Annotated[float, Field(ge=0, le=1e9)]
    """The most that may be spent in one day or month."""
    per: Literal["day", "month"] = "day"
    """The period, in UTC."""
    agent: str | None = None
    """A glob for the request's `agent_id`. Without it, every agent's calls count."""
    provider: str | None = None
    """A provider's name. Without it, calls to every provider count."""
    max_output_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 8192
    """The output limit that is sent, and reserved, for a request that sets none."""
    when_reserved: Literal["wait", "refuse"] = "wait"
    """What happens to a request that would fit the budget if running calls gave back what they have
    reserved but not spent: it waits in the queue, within its `timeout`, or is refused."""
    unknown_price: Literal["refuse", "count_as", "ignore"] = "refuse"
    """What happens to a call whose highest cost is unknown: it is refused; reserved at
    `count_as_dollars_per_million`; or made without a reservation, and counted if its cost becomes
    known."""
    count_as_dollars_per_million: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """The price of a million tokens, in or out, that have no known price. Only with
    `unknown_price = "count_as"`."""


class ModelRef(NamedTuple):
    """One model at one provider; `str` of it is how a config names it."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


Pick = Literal["ordered", "weighted", "cheapest"]


@dataclass(frozen=True, slots=True)
class Route:
    """One of `[[routes]]`. One table for each route. Routes with `capabilities`, `agent` or `model`
    are tried first, in the order of the file. Then, in this order: the route for the request's
    complexity and task type, for its task type alone, for its complexity alone, and for everything.
    """

    complexity: Complexity | Literal["*"]
    """The requests' complexity; `*` is any."""
    task_type: str
    """The requests' task type, normalised; `*` is any."""
    models: tuple[ModelRef, ...]
    """`PROVIDER/MODEL`, the first choice first; those of providers that are left out are skipped.
    Beside `model`, a model `*` is the one that the request asks for."""
    capabilities: frozenset[str] = frozenset()
    """The request must have all of them."""
    agent: str | None = None
    """A glob for the request's `agent_id`."""
    model: str | None = None
    """A glob for the model that the request names. Without it, the route is for requests that name
    none."""
    pick: Pick = "ordered"
    """How the first choice is found: as written, by weight (the same for a request each time), or
    by the lowest expected price."""
    weights: tuple[int, ...] = ()
    """A weight for each model, with `pick = "weighted"`."""

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
    shown_why: str | None = None
    """What results say in place of `why`, if that has the path of a file."""

    @property
    def why_in_results(self) -> str:
        """Why, for producers."""
        return self.why if self.shown_why is None else self.shown_why


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
    """One line each, to be logged at the start."""
    file: Path | None = field(default=None, compare=False)
    """The config file read, if any."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where a value came from, by dotted path (`queue.batch_size`): `file`, an environment
    variable's name, or `reach.NO_KEY`. What is not in it is a default."""
