"""Snapshots: the data that a source reads and the tabs show. Texts are foreign, and are made
printable where they are shown. None means unknown (yet). Times have a zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A queue and the number of its messages."""

    name: str
    total: int
    visible: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSnapshot:
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
    """The overview. `trouble` says what could not be read."""

    state: str
    """The state of what is shown: `ready`, `degraded` …, or `unknown`."""
    summary: str
    """More about the state, in a line."""
    outages: Mapping[str, str] = field(default_factory=dict)
    """What it waits for, and why."""
    paused: Sequence[str] = ()
    """What is paused, in words."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Requests by what they wait for."""
    rate: float | None = None
    """Answered calls per second."""
    failed_rate: float | None = None
    mean_ms: float | None = None
    spent_day: float | None = None
    """US dollars since midnight UTC."""
    queues: Sequence[QueueSnapshot] = ()
    nodes: Sequence[NodeSnapshot] = ()
    trouble: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSnapshot:
    """One provider on one node, or in the service that runs here."""

    name: str
    node: str
    """The node's name; empty for the service that runs here."""
    state: str
    """What keeps calls from it, in a word such as `open`; `ok` if nothing does."""
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
class RequestSnapshot:
    """One request of the journal."""

    request_id: str
    state: str
    at: datetime
    """When it ended, or else when it was leased."""
    agent_id: str | None
    task_type: str | None
    provider: str | None
    model: str | None
    latency_ms: int | None
    cost: float | None
    error_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSnapshot:
    """A waiting request, or a group of them (`requests`)."""

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
class LetterSnapshot:
    """A dead letter."""

    number: int
    request_id: str | None
    reason: str | None
    provider: str | None
    dead_at: datetime
    wrong: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSnapshot:
    """The tree of one node. `root` has the form of `supervisors.tree`; None without a response."""

    node: str
    """The node's id; empty for the service that runs here."""
    name: str
    root: Mapping[str, Any] | None
    why: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the service's log, or the last error of a node."""

    key: str
    when: str
    """The time as it was written; empty if it is part of the text."""
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSnapshot:
    """One actor: its state by `format_status`, its links and monitors."""

    name: str
    class_name: str
    sys_state: str
    state: str
    """The state as text of several lines."""
    mailbox_length: int
    links: Sequence[str]
    monitors: Sequence[str]
    monitored_by: Sequence[str]
    linked_tasks: Sequence[str]
    messages: int | None
    """Messages that it has handled since the first look."""
    busy_seconds: float | None
    """Seconds that it has spent on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """One event of a traced actor: types, never contents."""

    number: int
    at: datetime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSnapshot:
    """The newest events of an actor. `ended` says why no more come."""

    lines: Sequence[TraceLine]
    ended: str = ""
