"""Desired state as this process knows it: pauses, pool sizes, drains, the log level.

A passive table, like the in-work table. Steering writes it; the Router and the workers read it
synchronously before they place a job or make a call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from math import inf
from typing import Final

from nexus_actors.contract.shown_text import printable
from nexus_actors.storage.control import ControlRow
from nexus_actors.work.job import Job

LANE: Final = "paused "
"""Prefix of the lanes of pauses. It has a blank, which no provider's name has."""
LONGEST_WHY: Final = 200


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force: of a queue, provider, model or agent, or of this node (a drain)."""

    subject: str
    name: str
    by: str
    why: str | None
    since: datetime
    until: datetime | None
    ends_at: float
    """By `trio.current_time()`; inf if it has no end."""
    fallback: bool = False
    """Whether routes fall back to their next model meanwhile."""
    everywhere: bool = True
    """Whether it holds for all nodes, not for this one alone."""

    @property
    def lane(self) -> str:
        """The lane in which requests wait for the end of a pause of all nodes. If the pause changes
        its `fallback`, the lane changes, too, so that all waiting requests are routed again."""
        return f"{LANE}{self.subject} {self.name}{' (fallback)' if self.fallback else ''}"

    @property
    def what(self) -> str:
        """What is paused, without what the operator said."""
        return printable(f"{self.subject} {self.name}", LONGEST_WHY)

    def describe(self) -> str:
        """One line for operators: what is paused, by whom, until when, why."""
        until = "" if self.until is None else f" until {self.until:%Y-%m-%d %H:%M:%S} UTC"
        why = f": {self.why}" if self.why else ""
        what = f"{self.subject} {self.name} is paused" if self.name else "this node is drained"
        text = f"{what} by {self.by}{until}{why}"
        return printable(text, LONGEST_WHY)


class Desired:
    """The desired state of this process. It is empty, and not `known`, until the rows were read for
    the first time. Nothing is leased before that."""

    def __init__(self) -> None:
        self.known = False
        self.drain: Pause | None = None
        """Set while this node is to finish its calls and begin none."""
        self.log_level: str | None = None
        """None: the config's level holds."""
        self.concurrency: dict[str, int] = {}
        """Pool sizes that operators have set, by provider."""
        self.lanes: tuple[str, ...] = ()
        """The lanes of all pauses that hold for all nodes."""
        self.queue: Pause | None = None
        """A pause of the queue: nothing is leased and no call begins."""
        self._last_of_queue: Pause | None = None
        """The last pause of the queue, which may be over."""
        self._queue_paused = (inf, -inf)
        """When that pause was first read, and when it ended, by `trio.current_time()`."""
        self._providers: dict[str, Pause] = {}
        self._models: list[Pause] = []
        self._agents: list[Pause] = []
        self._is_of_none = True
        """No provider, model or agent is paused: the usual case, checked before each call."""

    def replace(self, rows: Sequence[ControlRow], queue: str, read_at: float) -> None:
        """Replace the desired state by these rows, which concern all nodes or this one. A row for
        this node alone outranks one for all. `queue`: the one that this process leases from.
        `read_at`: when the rows were read, by `trio.current_time()`."""
        drain: Pause | None = None
        level: str | None = None
        concurrency: dict[str, int] = {}
        pauses: dict[tuple[str, str], Pause] = {}
        lanes: list[str] = []
        for row in sorted(rows, key=lambda row: row.node != "*"):
            if row.action == "concurrency" and row.value is not None:
                concurrency[row.name] = int(row.value)
            elif row.action == "log_level":
                level = row.value
            elif row.action == "drain":
                drain = _pause(row, read_at)
            elif row.action == "pause":
                pause = pauses[row.subject, row.name] = _pause(row, read_at)
                lanes += [pause.lane] if pause.everywhere else []
        self.drain, self.log_level, self.concurrency = drain, level, concurrency
        self.lanes = tuple(lanes)
        self._pause_queue(pauses.get(("queue", queue)), read_at)
        self._providers = {it.name: it for it in pauses.values() if it.subject == "provider"}
        self._models = [it for it in pauses.values() if it.subject == "model"]
        self._agents = [it for it in pauses.values() if it.subject == "agent"]
        self._is_of_none = not (self._providers or self._models or self._agents)
        self.known = True

    def _pause_queue(self, pause: Pause | None, read_at: float) -> None:
        was, self.queue = self.queue, pause
        if pause is not None:
            since = read_at if was is None else self._queue_paused[0]
            self._last_of_queue, self._queue_paused = pause, (since, inf)
        elif was is not None:
            self._queue_paused = (self._queue_paused[0], min(was.ends_at, read_at))

    def of_queue_at(self, when: float) -> Pause | None:
        """The pause that kept all nodes from leasing at that time; None if none is known."""
        since, until = self._queue_paused
        pause = self._last_of_queue
        return pause if pause is not None and pause.everywhere and since <= when < until else None

    def stops(self, provider: str) -> bool:
        """Whether no call to any model of the provider may begin."""
        return self.queue is not None or provider in self._providers

    def concurrency_of(self, provider: str) -> int | None:
        """The pool size that an operator has set; None if none has."""
        return self.concurrency.get(provider)

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """All pauses in force."""
        queue = () if self.queue is None else (self.queue,)
        drain = () if self.drain is None else (self.drain,)
        return (*drain, *queue, *self._providers.values(), *self._models, *self._agents)

    @property
    def by_agent(self) -> bool:
        """Whether an agent is paused, so that a request's agent matters."""
        return bool(self._agents)

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Providers that are paused on all nodes with fallback: no request waits for their room."""
        return tuple(it.name for it in self._providers.values() if it.fallback and it.everywhere)

    @property
    def ends_at(self) -> float:
        """When the first of the pauses ends, by `trio.current_time()`."""
        return min((it.ends_at for it in self.pauses), default=inf)

    def of_provider(self, provider: str) -> Pause | None:
        """Why no call to any of its models may begin."""
        return self._providers.get(provider)

    def of_candidate(self, provider: str, model: str) -> Pause | None:
        """Why no call to this model may begin."""
        if (pause := self._providers.get(provider)) is not None or not self._models:
            return pause
        return next((it for it in self._models if is_model_meant(provider, model, it.name)), None)

    def of_agent(self, agent: str) -> Pause | None:
        """Why no call for the agent's requests may begin."""
        return next((it for it in self._agents if _is_meant(agent, it.name)), None)

    def of_job(self, job: Job) -> Pause | None:
        """Why the job's next call may not begin."""
        if self._is_of_none:
            return self.queue
        if self._agents and (pause := self.of_agent(job.body.agent_id or "")) is not None:
            return pause
        return self.queue or (self.of_candidate(*job.candidate) if job.candidates else None)


def is_model_meant(provider: str, model: str, by: str) -> bool:
    """Whether a pause of the model `by` is about this one: a name or a glob, with the provider or
    without it."""
    return _is_meant(model, by) or _is_meant(f"{provider}/{model}", by)


def _is_meant(name: str, by: str) -> bool:
    """Whether `by` is this name literally, or a glob that matches it."""
    return name == by or fnmatchcase(name, by)


def _pause(row: ControlRow, read_at: float) -> Pause:
    return Pause(
        subject=row.subject,
        name=row.name,
        by=row.by,
        why=row.why,
        since=row.since,
        until=row.until,
        ends_at=inf if row.seconds_left is None else read_at + row.seconds_left,
        fallback=row.value == "fallback",
        everywhere=row.node == "*",
    )
