"""Reads the service that runs here: from its control socket, and the rest from its database."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from nexus_actors.contract.shown_text import json_text
from nexus_actors.monitoring.reading import Reader
from nexus_actors.observer.rounds import PATIENCE, Calls, Round, Rounds
from nexus_actors.observer.row_actions import RestartHere
from nexus_actors.observer.sheet import age, moment
from nexus_actors.observer.snapshots import (
    ActorSnapshot,
    LogLine,
    Overview,
    ProviderSnapshot,
    QueueSnapshot,
    TraceLine,
    TraceSnapshot,
    TreeSnapshot,
)
from nexus_actors.observer.source import Action, Away
from nexus_actors.observer.stored import Stored, node_snapshot
from nexus_actors.operations import control_client
from nexus_actors.storage.errors import StorageError

LOG_LINES: Final = 500
_BEFORE: Final = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]{8,15}Z) \[\w+ *\] ")
_RESTART: Final = 10.0
"""Seconds for a restart, which waits for the actor to end."""


class LocalSource(Stored):
    """A Source, on trio. The log is collected here; all else is read anew each time."""

    subject = "this service"

    def __init__(
        self, data_dir: Path, reader: Reader, by: str, *, shows_messages: bool = False
    ) -> None:
        super().__init__(reader, by, shows_messages=shows_messages)
        self._data_dir = data_dir
        self._rounds = Rounds(data_dir, reader.queues, self._looking)
        self._log: list[LogLine] = []
        self._log_from: tuple[str, int] = ("", 0)
        """The process whose log it is, and the number of the last line."""

    async def overview(self) -> Overview:
        """See Source."""
        now = await self._rounds.next()
        one = now.service
        summary = " ".join(now.trouble[:1])
        if one is not None:
            summary = (
                f"{one.name} {one.version}, up {age(one.uptime_seconds)}, at work {one.in_work}"
            )
            summary += f", unpublished {one.unpublished}, spooled {one.spooled}"
        calls = list(now.providers.values())
        return Overview(
            state="unknown" if one is None else one.state,
            summary=summary,
            outages={} if one is None else one.outages,
            paused=[] if one is None else one.paused,
            waiting=now.waiting,
            rate=total([it.answered_per_second for it in calls]),
            failed_rate=total([it.failed_per_second for it in calls]),
            mean_ms=mean(calls),
            spent_day=total([it.spent_day for it in calls]),
            queues=list(queue_snapshots(now)),
            nodes=[node_snapshot(it) for it in self._rounds.nodes],
            trouble=now.trouble if one is not None else now.trouble[1:],
        )

    async def providers(self) -> Sequence[ProviderSnapshot]:
        """See Source."""
        now = await self._rounds.next()
        status = self._rounds.status
        if status is None:
            raise Away("; ".join(now.trouble))
        return list(provider_snapshots("", status, now.providers))

    async def trees(self) -> Sequence[TreeSnapshot]:
        """See Source."""
        return [TreeSnapshot(node="", name=self.subject, root=await self._ask("tree"))]

    async def log(self) -> Sequence[LogLine]:
        """See Source."""
        whose, last = self._log_from
        answer = await self._ask("log", {"after": last, "of": whose})
        if answer["of"] != whose:  # another process, with other line numbers
            self._log = []
        self._log += [log_line(*line) for line in answer["lines"]]
        del self._log[:-LOG_LINES]
        self._log_from = answer["of"], answer["last"]
        return list(self._log)

    async def actor(self, node: str, name: str) -> ActorSnapshot:
        """See Source."""
        return actor_snapshot(await self._ask("inspect", {"actor": name}))

    async def trace(self, node: str, name: str) -> TraceSnapshot:
        """See Source."""
        return trace_snapshot(await self._ask("trace", {"actor": name}))

    async def end_trace(self, node: str, name: str) -> None:
        """See Source."""
        await self._ask("trace", {"actor": name, "end": True})

    async def act(self, action: Action) -> str:
        """See Source."""
        if not isinstance(action, RestartHere):
            return await super().act(action)
        node = (await self._ask("status", {"queues": False}))["instance"]
        unrecorded = await self._record(action, node)
        order = {"actor": action.actor, "now": action.now, "by": self._by}
        answer = await self._ask("restart", order, patience=_RESTART)
        what = "is started anew" if answer["ended"] else "ends its work first"
        return f"{answer['actor']} {what}{unrecorded}"

    async def _record(self, action: RestartHere, node: str) -> str:
        """Record in the audit. Returns why that failed, if it did; the restart happens anyway."""
        detail = json_text({"now": True} if action.now else {})
        subject = f"{action.actor} on {node}"
        try:
            with trio.fail_after(PATIENCE):
                await self._reader.act("record", "restart", subject, detail, self._by)
        except trio.TooSlowError:
            return "; not on record: the database did not answer in time"
        except StorageError as error:
            return f"; not on record: {error}"
        return ""

    async def _ask(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        *,
        patience: float = PATIENCE,
    ) -> Any:
        ask = partial(control_client.ask, self._data_dir, command, arguments, timeout=patience)
        try:
            return await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
        except control_client.ControlError as error:
            raise Away(str(error)) from error


def log_line(number: int, level: str, text: str) -> LogLine:
    """Parse a line of the log: its time and level have columns of their own."""
    begun = _BEFORE.match(text)
    when = "" if begun is None else moment(datetime.fromisoformat(begun[1])).plain
    text = text if begun is None else text[begun.end() :]
    return LogLine(key=str(number), when=when, level=level, text=text)


def total(values: Sequence[float | None]) -> float | None:
    """The sum of the known values; None if none is known."""
    known = [it for it in values if it is not None]
    return sum(known) if known else None


def mean(calls: Sequence[Calls]) -> float | None:
    """Mean milliseconds of a call over all providers; None if unknown."""
    weighed = [
        (it.mean_ms, (it.answered_per_second or 0.0) + (it.failed_per_second or 0.0))
        for it in calls
        if it.mean_ms is not None
    ]
    rate = sum(weight for _, weight in weighed)
    return sum(value * weight for value, weight in weighed) / rate if rate else None


def queue_snapshots(now: Round) -> Iterator[QueueSnapshot]:
    """The queues of a round."""
    for name, length in now.queues.items():
        yield QueueSnapshot(
            name=name,
            total=length["total"],
            visible=length["visible"],
            oldest_seconds=length["oldest_seconds"],
        )


def provider_snapshots(
    node: str, status: Mapping[str, Any], calls: Mapping[str, Calls]
) -> Iterator[ProviderSnapshot]:
    """Each provider, from a status and the calls since the previous one. `node`: its name."""
    paused = status["paused"]
    for name, it in calls.items():
        reported = status["providers"].get(name)
        state, why = ("not here", "") if reported is None else _gate(name, reported, paused)
        yield ProviderSnapshot(
            name=name,
            node=node,
            state=state,
            why=why,
            running=it.running,
            waiting=it.queued,
            limit=it.limit,
            rate=it.answered_per_second,
            failed_rate=it.failed_per_second,
            mean_ms=it.mean_ms,
            spent_hour=it.spent_hour,
            spent_day=it.spent_day,
        )


def _gate(name: str, reported: Mapping[str, Any], paused: Sequence[str]) -> tuple[str, str]:
    """What keeps calls from a provider: a word, and the details."""
    held = [it for it in paused if f"provider {name}" in it]
    if held:
        return "paused", held[0]
    circuits, keys = reported["circuits"], reported["keys_suspended"]
    why = "; ".join(f"{it}: {what}" for it, what in [*circuits.items(), *keys.items()])
    if circuits:
        words = [str(it).split(" ", 1)[0] for it in circuits.values()]
        worst = next((it for it in ("open", "half_open", "throttled") if it in words), words[0])
        return worst, why
    return ("key held", why) if keys else ("ok", "")


def actor_snapshot(reported: Mapping[str, Any]) -> ActorSnapshot:
    """An actor, from a node's description."""
    return ActorSnapshot(
        name=reported["name"],
        class_name=reported["class"],
        sys_state=reported["sys_state"],
        state=reported["state"] or "not reported: it is busy",
        mailbox_length=reported["mailbox_length"],
        links=reported["links"],
        monitors=reported["monitors"],
        monitored_by=reported["monitored_by"],
        linked_tasks=reported["linked_tasks"],
        messages=reported["calls"] + reported["casts"] + reported["infos"],
        busy_seconds=reported["seconds"],
    )


def trace_snapshot(reported: Mapping[str, Any]) -> TraceSnapshot:
    """A trace, from the service's response."""
    lines = [
        TraceLine(number=number, at=datetime.fromtimestamp(at, UTC), what=what)
        for number, at, what in reported["events"]
    ]
    return TraceSnapshot(lines=lines, ended=reported["ended"])
