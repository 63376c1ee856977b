"""Cancellations, and orders to one node: actions that do not change nexus.control."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from nexus_actors.contract.shown_text import printable
from nexus_actors.monitoring.actions import SHOWN, Action
from nexus_actors.monitoring.command_text import command_line, sql_call, sql_recorded
from nexus_actors.monitoring.reading import Reader

MOST_CANCELLED: Final = 10_000
"""The most requests of one action."""
_COMMANDS: Final = {"stop": "actor stop", "start": "actor start"}
"""`nexus stop` and `nexus start` concern the service, not an actor."""
_BECAME: Final = {
    "queued": "{} ends as cancelled as soon as a service leases it.",
    "running": "{} is interrupted.",
    "ended": "{} has already ended and stays as it is.",
    "unknown": "{} is not known; if it is sent within 7 days, it ends as cancelled.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Action):
    """Cancel one request: it ends without an answer."""

    request_id: str
    why: str | None = None

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Cancel the request {printable(self.request_id, SHOWN)}? It ends without an answer,"
            " and a dead letter is kept. A running call is interrupted at once; it may have been"
            " paid."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        return sql_recorded(
            "cancel",
            f"request {self.request_id}",
            {"why": self.why},
            sql_call("nexus.cancel", self.request_id, why=self.why),
        )

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("cancel", self.request_id, why=self.why)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        [row] = await reader.act("act_cancel", self.request_id, self.why, by)
        return _BECAME[row["found"]].format(f"Request {printable(self.request_id, SHOWN)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWhere(Action):
    """Cancel all requests of a kind, `MOST_CANCELLED` at most."""

    agent: str | None = None
    provider: str | None = None
    """Only requests that were leased and now wait for room at this provider."""
    older_than: float | None = None
    """Only requests sent more than so many seconds ago."""
    state: Literal["queued", "running", "any"] = "any"
    why: str | None = None

    @property
    def question(self) -> str:
        """See Action."""
        kind = {"queued": "that wait", "running": "that run", "any": "that have not ended"}
        words = [f"Cancel all requests {kind[self.state]}"]
        words += [] if self.agent is None else [f"of the agent {printable(self.agent, SHOWN)}"]
        if self.provider is not None:
            words.append(f"and wait for room at {printable(self.provider, SHOWN)}")
        words += [] if self.older_than is None else [f"sent over {self.older_than:g} s ago"]
        return (
            f"{', '.join(words)}? {MOST_CANCELLED:,} at most end without an answer, and dead"
            " letters are kept."
        )

    @property
    def _older(self) -> timedelta | None:
        return None if self.older_than is None else timedelta(seconds=self.older_than)

    @property
    def sql(self) -> str:
        """See Action."""
        which = {"agent": self.agent, "provider": self.provider, "state": self.state}
        older = None if self.older_than is None else f"{self.older_than:g} s"
        return sql_recorded(
            "cancel",
            "requests",
            {**which, "older_than": older, "why": self.why},
            sql_call("nexus.cancel_where", **which, older_than=self._older, why=self.why),
        )

    @property
    def cli(self) -> str:
        """See Action."""
        alone = self.agent is None and self.provider is None and self.older_than is None
        return command_line(
            "cancel",
            agent=self.agent,
            provider=self.provider,
            older_than=None if self.older_than is None else f"{self.older_than:g}s",
            state=None if self.state == "any" else self.state,
            all=self.state == "any" and alone,
            why=self.why,
        )

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        which = (self.agent, self.provider, self._older, self.state, MOST_CANCELLED)
        [row] = await reader.read("cancellable", *which)
        more = " or more" if row["requests"] == MOST_CANCELLED else ""
        running = f", {row['running']:,} of them in work, whose calls may have been billed"
        count = f"{row['requests']:,}{more} requests match now"
        count += running if row["running"] else ""
        if self.provider is not None or self.state == "running":
            return f"{count}." if row["requests"] else "No request matches now."
        # Messages are opened only when the action is carried out.
        return f"{count} of those leased before; those never leased are not counted."

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        which = (self.agent, self.provider, self._older, self.state, self.why)
        [row] = await reader.act("act_cancel_where", *which, MOST_CANCELLED, by)
        return f"Cancelled: {row['cancelled']:,} requests."


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Action):
    """An order to one node about one of its actors, or about its config."""

    node: str
    action: Literal["restart", "stop", "start", "reload"]
    actor: str = ""
    """Empty for `reload`, which concerns no actor."""
    now: bool = False
    """Kill the actor instead of letting it finish its work before the restart."""
    why: str | None = None

    @property
    def question(self) -> str:
        """See Action."""
        actor, node = printable(self.actor, SHOWN), printable(self.node, SHOWN)
        match self.action:
            case "reload":
                return f"Let the node {node} read its config again and apply it?"
            case "restart":
                how = "It is killed" if self.now else "It finishes its work first"
                return f"Restart {actor} on {node}? {how}, and its supervisor starts it again."
            case "stop":
                return (
                    f"Stop {actor} on {node}? It finishes its work first, and stays stopped"
                    " until it is started or its supervisor restarts."
                )
            case "start":
                return f"Start {actor} on {node}?"

    @property
    def sql(self) -> str:
        """See Action."""
        return sql_call(
            "nexus.command",
            self.node,
            self.action,
            actor=self.actor or None,
            now=self.now or None,
            why=self.why,
        )

    @property
    def cli(self) -> str:
        """See Action."""
        options = {"now": self.now, "node": self.node, "why": self.why}
        command = _COMMANDS.get(self.action, self.action)
        return command_line(command, self.actor or None, **options)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        order = (self.node, self.action, self.actor, self.now, self.why)
        [row] = await reader.act("act_order", *order, by)
        what = f"{self.action} {printable(self.actor, SHOWN)}".rstrip()
        return (
            f"Order {row['number']} is given: {what}. The node carries it out within a minute or"
            " not at all."
        )
