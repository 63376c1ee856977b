"""What there is to see, as data: what a source finds out and the tabs show. Texts are foreign, and
made fit to be shown where they are shown. None is what nobody knows (yet). Moments have a zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSeen:
    """A queue, and how many messages it holds."""

    name: str
    total: int
    visible: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """One process of the service."""

    node: str
    name: str
    state: str
    why: str | None
    version: str
    in_flight: int
    restarts: int
    beat_age: float
    """Seconds since its last heartbeat."""
    started_at: datetime
    last_error: str | None
    chores: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Is it well? What is missing is told in `trouble`."""

    state: str
    """Of what is looked at: `ready`, `degraded` …, or `unknown`."""
    told: str
    """More about it, in a line."""
    outages: Mapping[str, str] = field(default_factory=dict)
    """What it waits for, and why."""
    paused: Sequence[str] = ()
    """In words."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Requests by what they wait for."""
    rate: float | None = None
    """Calls answered a second."""
    failed_rate: float | None = None
    mean_ms: float | None = None
    spent_day: float | None = None
    """US dollars since midnight UTC."""
    queues: Sequence[QueueSeen] = ()
    nodes: Sequence[NodeSeen] = ()
    trouble: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSeen:
    """One provider at one node, or at the service that runs here."""

    name: str
    node: str
    """The node's name; empty for the service that runs here."""
    state: str
    """`open` and the like: what keeps calls from it, in a word; `ok` if nothing does."""
    why: str = ""
    running: int | None = None
    waiting: int | None = None
    limit: int | None = None
    rate: float | None = None
    failed_rate: float | None = None
    mean_ms: float | None = None
    spent_hour: float | None = None
    spent_day: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSeen:
    """One request of the journal."""

    request_id: str
    state: str
    at: datetime
    """When it ended; when it was leased, if it has not."""
    agent_id: str | None
    task_type: str | None
    provider: str | None
    model: str | None
    latency_ms: int | None
    cost: float | None
    error_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSeen:
    """One request that waits; `requests` of them where they are told of together."""

    request_id: str | None
    agent_id: str | None
    reason: str
    detail: str | None
    requests: int
    since: datetime | None
    until: datetime | None
    before: int | None
    """How many come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSeen:
    """A dead letter."""

    number: int
    request_id: str | None
    reason: str | None
    provider: str | None
    dead_at: datetime
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSeen:
    """The tree of one node. `root` is as `supervisors.tree` has it; None where nobody answers."""

    node: str
    """The node's id; empty for the service that runs here."""
    name: str
    root: Mapping[str, Any] | None
    why: str = ""
    """What keeps it from being seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the service's log, or the last error of a node."""

    key: str
    when: str
    """As it is written there; empty where the text has it."""
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSeen:
    """One actor: its state through `format_status`, and whom it knows."""

    name: str
    class_name: str
    sys_state: str
    state: str
    """A text of several lines."""
    mailbox_length: int
    links: Sequence[str]
    monitors: Sequence[str]
    monitored_by: Sequence[str]
    linked_tasks: Sequence[str]
    messages: int | None
    """That it has handled since somebody looks."""
    busy_seconds: float | None
    """That it has spent on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """One thing that a traced actor did: types, never contents."""

    number: int
    at: datetime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSeen:
    """The newest events of an actor. `ended` tells why no more come."""

    lines: Sequence[TraceLine]
    ended: str = ""
