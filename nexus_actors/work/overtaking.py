"""Leasing past requests that would only go back to wait. Behind thousands of requests for a
provider whose queue is full, requests for other providers are found in the store and leased
first."""

import math
from collections.abc import Awaitable, Callable, Container, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime

import trio

from nexus_actors.contract.request import LLMRequest
from nexus_actors.storage.errors import StorageRefused, StorageStrained
from nexus_actors.storage.requests import Delivery, RequestStore
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job

MOST = 64
"""The most kinds of requests that are remembered."""
EACH = 4
"""Messages remembered per kind: producers may spell the same fields in different ways."""
MEMORY = 1.0
"""Seconds after which all examples are forgotten and everything due is searched again. So a wrong
guess costs no more than that."""
SHARE = 5
"""The search may take at most one part in this many of the time."""
REST = 60.0
"""Seconds for which nothing is overtaken after the store refused the search."""

Take = Callable[[Sequence[int]], Awaitable[Sequence[Delivery]]]
"""Leases these messages, by their numbers."""


@dataclass(frozen=True, slots=True)
class _Example:
    msg_id: int
    size: int
    provider: str
    until: float

    def stands(self, rooms: Container[str], now: float) -> bool:
        """Whether a similar request would have to wait, too."""
        return self.provider not in rooms if self.until == math.inf else now < self.until


class Overtaken:
    """Examples of messages that have just gone back to wait, by the fields that routing looks at.
    `is_by_agent` says whether routing looks at the agent at present.

    This is a guess, and affects order only: a request that is like one of the examples may still
    be routed differently, and is then leased a little later.
    """

    def __init__(self, is_by_agent: Callable[[], bool] = lambda: False) -> None:
        self._is_by_agent = is_by_agent
        self._examples: dict[Hashable, list[_Example]] = {}

    def add(self, job: Job) -> None:
        """Remember a job that has to wait (`job.wait`): for room at its provider, until a time, or
        for the end of a pause, which may come at any time. A job that was tried before is no
        example, since its candidates depend on its history."""
        it = job.body
        if job.attempt_count or job.used_before or job.previous or not isinstance(it, LLMRequest):
            return
        provider = job.candidate.provider
        agent = it.agent_id if self.by_agent else None
        kind = (
            provider,
            it.provider,
            it.model,
            it.complexity,
            it.task_type,
            it.capabilities,
            agent,
        )
        if kind not in self._examples and len(self._examples) >= MOST:
            del self._examples[next(iter(self._examples))]
        examples = self._examples.setdefault(kind, [])
        examples.append(_Example(job.lease.msg_id, job.size, provider, _until(job, provider)))
        if len(examples) > EACH:  # the store may not look into a large one
            examples.remove(max(examples, key=lambda it: it.size))

    @property
    def by_agent(self) -> bool:
        """Whether requests that differ only in their agent may be routed differently."""
        return self._is_by_agent()

    def examples(self, rooms: Container[str], now: float) -> list[int]:
        """The message numbers of examples that would still have to wait, given the providers that
        want more (`rooms`). The others are forgotten."""
        for kind, examples in list(self._examples.items()):
            if not all(it.stands(rooms, now) for it in examples):
                del self._examples[kind]
        return [it.msg_id for examples in self._examples.values() for it in examples]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has gone back to wait lately."""
        return not self._examples

    def clear(self) -> None:
        """Forget all examples."""
        self._examples.clear()


def _until(job: Job, provider: str) -> float:
    wait = job.wait
    if wait is None or wait.lane == provider:
        return math.inf
    return wait.until if wait.lane is None else min(wait.until, trio.current_time() + MEMORY)


class Overtaking:
    """Searches for requests that need not wait, and leases them. It alternates with leasing in
    order, so no request is overtaken for ever.

    Each search continues where the last one stopped. Rows that the store refuses are left to
    leasing in order, which finds out what is wrong with them; other errors are raised.
    """

    def __init__(self, store: RequestStore, in_work: InWork, overtaken: Overtaken) -> None:
        self._store = store
        self._in_work = in_work
        self._overtaken = overtaken
        self._looked_until: datetime | None = None
        self._forgets_at = -math.inf
        self._looks_at = -math.inf
        self._is_usual_turn = False

    async def lease(self, quantity: int, take: Take) -> Sequence[Delivery]:
        """Lease at most this many requests past those that wait. Nothing if it is not the turn of
        the search, or it finds none."""
        now = trio.current_time()
        if now >= self._forgets_at:
            self._overtaken.clear()
            self._looked_until, self._forgets_at = None, now + MEMORY
        is_usual_turn, self._is_usual_turn = self._is_usual_turn, False
        if is_usual_turn or self._overtaken.is_empty or now < self._looks_at:
            return []
        rooms = self._in_work.demand()
        most = min(quantity, sum(rooms.values()))
        if not (examples := self._overtaken.examples(rooms, now)):
            return []
        try:
            deliveries = await self._look(examples, most, take)
        except (StorageRefused, StorageStrained):
            self._looks_at = now + REST
            return []
        self._is_usual_turn = bool(deliveries)
        return deliveries

    async def _look(self, examples: Sequence[int], most: int, take: Take) -> Sequence[Delivery]:
        began = trio.current_time()
        found = await self._store.find_others(
            examples, most, since=self._looked_until, by_agent=self._overtaken.by_agent
        )
        ended = trio.current_time()
        self._looks_at = ended + (SHARE - 1) * (ended - began)
        deliveries = await take(found.msg_ids) if found.msg_ids else []
        if len(deliveries) == len(found.msg_ids):  # else some were too large or taken
            self._looked_until = found.looked_until
        return deliveries
