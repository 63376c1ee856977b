"""Actions of operators: each is described in words, as SQL and as a command.

Dashboard and observer ask for confirmation before they carry one out. Each is recorded with who did
it: changes of nexus.control in nexus.control_log, by a trigger; all others in nexus.audit.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self

from nexus_actors.contract.shown_text import printable
from nexus_actors.monitoring.command_text import command_line, sql_call
from nexus_actors.monitoring.nodes import node_label, read_nodes
from nexus_actors.monitoring.reading import Reader
from nexus_actors.storage.postgres.sql import Queues

Subject = Literal["queue", "provider", "model", "agent", "node"]
SUBJECTS: Final = ("queue", "provider", "model", "agent", "node")
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_MOST_CONCURRENCIES: Final = 2_000
_MOST_NAMED: Final = 10
"""The most nodes that are named in a sentence."""
SHOWN: Final = 80
"""The most characters of a name in a sentence."""


class Action(ABC):
    """An action, as a value."""

    @property
    @abstractmethod
    def question(self) -> str:
        """What will happen, in words."""

    @property
    @abstractmethod
    def sql(self) -> str:
        """The statement, as typed in psql."""

    @property
    @abstractmethod
    def cli(self) -> str:
        """The command, as typed in a shell."""

    def among(self, queues: Queues) -> Self:
        """The same action for queues with these names."""
        return self

    async def preview(self, reader: Reader) -> str:
        """What it would affect now, in words; empty if there is nothing to add. Raises
        StorageError."""
        return ""

    @abstractmethod
    async def carry_out(self, reader: Reader, by: str) -> str:
        """Carry it out in the name of `by`. Returns what was done, in words. Raises StorageError,
        or StorageRefused if it makes no sense. If cancelled, it may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Action):
    """Pause: no call begins, or nothing is leased."""

    subject: str
    name: str
    """The subject's name; a glob for models and agents."""
    until: datetime | None = None
    why: str | None = None
    fallback: bool = False
    """For a provider or model: routes fall back to their next model."""
    node: str | None = None
    """None: all nodes."""

    @property
    def question(self) -> str:
        """See Action."""
        effect = {
            "queue": "No node leases requests from it; they wait in the queue.",
            "node": "It finishes its calls and begins none.",
            "agent": "No new call begins for its requests; they wait.",
        }.get(self.subject, "No new call to it begins; its requests wait in the database.")
        if self.fallback:
            effect = "No new call to it begins; routes take their next model."
        rest = " Running calls continue, and timeouts keep running."
        return f"Pause the {_of(self.subject, self.name)}{_on(self.node)}? {effect}{rest}"

    @property
    def sql(self) -> str:
        """See Action."""
        return sql_call(
            "nexus.pause",
            self.subject,
            self.name,
            until=self.until,
            why=self.why,
            fallback=self.fallback or None,
            node=self.node,
        )

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line(
            "pause",
            self.subject,
            self.name,
            until=self.until,
            why=self.why,
            fallback=self.fallback,
            node=self.node,
        )

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        await reader.act(
            "act_pause",
            self.subject,
            self.name,
            self.until,
            self.why,
            self.fallback,
            self.node or "*",
            by,
        )
        return f"Paused: the {_of(self.subject, self.name)}{_on(self.node)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Action):
    """End a pause or a drain."""

    subject: str
    name: str
    node: str | None = None
    """None: all nodes on which it is paused."""

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Resume the {_of(self.subject, self.name)}{_on(self.node, '')}? What waits for it"
            " continues at once."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        return sql_call("nexus.resume", self.subject, self.name, node=self.node)

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("resume", self.subject, self.name, node=self.node)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        [row] = await reader.act("act_resume", self.subject, self.name, self.node, by)
        what = _of(self.subject, self.name)
        return f"Resumed: the {what}." if row["count"] else f"The {what} was not paused."


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Action):
    """Set how many parallel calls each node makes to a provider."""

    provider: str
    calls: int | None
    """None: as the config says."""
    until: datetime | None = None
    why: str | None = None
    node: str | None = None

    @property
    def question(self) -> str:
        """See Action."""
        count = "as many calls as the config says" if self.calls is None else _calls(self.calls)
        where = "each node" if self.node is None else f"the node {printable(self.node, SHOWN)}"
        return (
            f"Let {where} make {count} to {printable(self.provider, SHOWN)} concurrently?"
            " This overrides the config. No running call is interrupted."
        )

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        rows = await reader.read("control_concurrency", _MOST_CONCURRENCIES)
        now = [it for it in rows if it["provider"] == self.provider]
        if not now:
            return "No running node has this provider."
        said = [
            f"{it['calls']} on {node_label(it['name'], it['node'])}" for it in now[:_MOST_NAMED]
        ]
        more = f" and {len(now) - _MOST_NAMED} more" if len(now) > _MOST_NAMED else ""
        return f"Concurrent calls now: {printable(', '.join(said), 1000)}{more}."

    @property
    def sql(self) -> str:
        """See Action."""
        return sql_call(
            "nexus.scale",
            self.provider,
            self.calls,
            until=self.until,
            why=self.why,
            node=self.node,
        )

    @property
    def cli(self) -> str:
        """See Action."""
        calls = "default" if self.calls is None else self.calls
        options = {"until": self.until, "why": self.why, "node": self.node}
        return command_line("scale", self.provider, calls, **options)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        everywhere = None if self.calls is None else "*"
        node = self.node or everywhere
        await reader.act("act_scale", self.provider, self.calls, self.until, self.why, node, by)
        count = "as the config says" if self.calls is None else f"{_calls(self.calls)} concurrently"
        return f"Provider {printable(self.provider, SHOWN)}: {count}{_on(self.node)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Action):
    """Drain a node: it finishes its calls and begins none."""

    node: str
    until: datetime | None = None
    why: str | None = None

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Drain the {_of('node', self.node)}? It finishes its calls and begins none; other"
            " nodes take the rest. Its process stays up, idle, until it is resumed."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        return sql_call("nexus.drain", self.node, until=self.until, why=self.why)

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("drain", self.node, until=self.until, why=self.why)

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        running = [it for it in await read_nodes(reader) if it.is_there]
        mine = [it for it in running if self.node in (it.node, it.name, it.host)]
        queues = {it.queue for it in mine}
        others = [
            it
            for it in running
            if it not in mine and it.queue in queues and it.state not in ("draining", "drained")
        ]
        if not mine or others:
            return ""
        return "No other node takes requests: nothing is processed until this one is resumed."

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        await reader.act("act_drain", self.node, self.until, self.why, by)
        return f"The {_of('node', self.node)} drains."


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLevel(Action):
    """Set the log level."""

    level: str | None
    """None: as the config says."""
    until: datetime | None = None
    why: str | None = None
    node: str | None = None

    @property
    def question(self) -> str:
        """See Action."""
        level = "the config's" if self.level is None else self.level
        where = "every node" if self.node is None else f"the {_of('node', self.node)}"
        return f"Set the log level of {where} to {level}?"

    @property
    def sql(self) -> str:
        """See Action."""
        options = {"until": self.until, "why": self.why, "node": self.node}
        return sql_call("nexus.log_level", self.level, **options)

    @property
    def cli(self) -> str:
        """See Action."""
        options = {"until": self.until, "why": self.why, "node": self.node}
        return command_line("log-level", self.level or "default", **options)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        everywhere = None if self.level is None else "*"
        node = self.node or everywhere
        await reader.act("act_log_level", self.level, self.until, self.why, node, by)
        return f"Log level: {self.level or 'as the config says'}{_on(self.node)}."


def _of(subject: str, name: str) -> str:
    return f"{subject} {printable(name, SHOWN)}".rstrip()


def _on(node: str | None, everywhere: str = " on every node") -> str:
    return everywhere if node is None else f" on the node {printable(node, SHOWN)}"


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
