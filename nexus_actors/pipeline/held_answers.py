"""Answers that the store refuses although their content is not at fault. They wait until the
condition is over.

Conditions may differ between answers, so they are grouped by kind: the store's error and the
request's agent. One answer of each kind is tried from time to time. If it is stored, all others of
its kind are tried, and one of each other kind with the same error.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

import trio

from nexus_actors.work.job import Job
from nexus_actors.work.wake import Wake

KINDS = 32
"""The most kinds that are distinguished. Error texts may vary without end, so all further ones
share one kind."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
"""Seconds until another answer of a kind is tried."""


@dataclass(slots=True)
class _Kind:
    condition: str | None
    due: float
    pause: float = FIRST_PAUSE
    jobs: dict[Job, None] = field(default_factory=dict)


_Name = tuple[str | None, str | None]
"""The store's error and the agent's id; two Nones for the kind that the rest share."""


class HeldAnswers:
    """The held answers, by kind. All methods but `next` are synchronous."""

    def __init__(self) -> None:
        self._kinds: dict[_Name, _Kind] = {}
        self._names: dict[Job, _Name] = {}
        self._wake = Wake()

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, job: Job) -> bool:
        return job in self._names

    def __iter__(self) -> Iterator[Job]:
        return iter(tuple(self._names))

    @property
    def condition(self) -> str | None:
        """One of the conditions that answers are held for; None if none is known."""
        return next((it.condition for it in self._kinds.values() if it.condition), None)

    def add(self, job: Job, condition: str) -> None:
        """Hold an answer for this condition, whatever it was held for before."""
        name: _Name = (condition, job.body.agent_id)
        if name not in self._kinds and len(self._kinds) >= KINDS:
            name = (None, None)
        if self._names.get(job) == name:
            return
        self.discard(job)
        kind = self._kinds.get(name)
        if kind is None:
            due = trio.current_time() + FIRST_PAUSE
            kind = self._kinds[name] = _Kind(name[0], due)
        kind.jobs[job] = None
        self._names[job] = name
        self._wake.set()

    def discard(self, job: Job) -> None:
        """Stop holding this answer; the others of its kind stay held."""
        name = self._names.pop(job, None)
        if name is not None:
            kind = self._kinds[name]
            del kind.jobs[job]
            if not kind.jobs:
                del self._kinds[name]

    def release(self, job: Job) -> list[Job]:
        """The answer was stored, so the condition of its kind is over. Returns the others of its
        kind, which are no longer held. One of each kind with the same condition is due at once.
        """
        name = self._names.get(job)
        if name is None:
            return []
        gone = self._kinds.pop(name)
        for one in gone.jobs:
            del self._names[one]
        for kind in self._kinds.values():
            if kind.condition == gone.condition:
                kind.due, kind.pause = -inf, FIRST_PAUSE
        self._wake.set()
        return [one for one in gone.jobs if one is not job]

    def postpone(self, job: Job) -> None:
        """The answer was tried and is still held: its kind pauses, longer each time, and another
        answer of it is tried next.
        """
        name = self._names.get(job)
        if name is not None:
            kind = self._kinds[name]
            kind.jobs[job] = kind.jobs.pop(job)
            kind.due = trio.current_time() + kind.pause
            kind.pause = min(2 * kind.pause, LONGEST_PAUSE)

    async def next(self) -> Job:
        """Wait until an answer is due, the longest overdue kind first. It stays held."""
        while True:
            kind = min(self._kinds.values(), key=lambda it: it.due, default=None)
            left = inf if kind is None else kind.due - trio.current_time()
            if kind is not None and left <= 0:
                return next(iter(kind.jobs))
            await self._wake.wait(left)
