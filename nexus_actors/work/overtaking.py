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
"""Kinds of requests that are remembered."""
EACH = 4
"""Messages of each: the same may have been said in several ways."""
MEMORY = 1.0
"""Seconds after which all of them are forgotten, and all that is due is looked at again: so a wrong
guess costs no more than that."""
SHARE = 5
"""Looking takes one part of so many of the time, at most."""
REST = 60.0
"""Seconds for which nothing is overtaken after the store refused it."""

Take = Callable[[Sequence[int]], Awaitable[Sequence[Delivery]]]
"""Leases these messages, by their numbers."""


@dataclass(frozen=True, slots=True)
class _Example:
    msg_id: int
    size: int
    provider: str
    until: float

    def stands(self, rooms: Container[str], now: float) -> bool:
        """Whether another like it would have to wait as well."""
        return self.provider not in rooms if self.until == math.inf else now < self.until


class Overtaken:
    """Messages as examples, by what they are routed by. `is_by_agent` says whether the agent counts
    at present.

    A guess, for order alone: requests that are like one of these may yet be routed in another way,
    and are then leased a little later.
    """

    def __init__(self, is_by_agent: Callable[[], bool] = lambda: False) -> None:
        self._is_by_agent = is_by_agent
        self._examples: dict[Hashable, list[_Example]] = {}

    def add(self, job: Job) -> None:
        """It has to wait, for what its `wait` says: room at its candidate's provider, a moment, or
        the end of a pause, of which nobody can say whether it has come. One with a past of its own
        is no example."""
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
        if len(examples) > EACH:  # a large one may say nothing to the store
            examples.remove(max(examples, key=lambda it: it.size))

    @property
    def by_agent(self) -> bool:
        """Whether requests that are alike but for their agent may go different ways."""
        return self._is_by_agent()

    def examples(self, rooms: Container[str], now: float) -> list[int]:
        """The numbers of those that would still have to wait, `rooms` being the providers that want
        more. The others are forgotten."""
        for kind, examples in list(self._examples.items()):
            if not all(it.stands(rooms, now) for it in examples):
                del self._examples[kind]
        return [it.msg_id for examples in self._examples.values() for it in examples]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has gone back to wait lately."""
        return not self._examples

    def clear(self) -> None:
        """Forget all."""
        self._examples.clear()


def _until(job: Job, provider: str) -> float:
    wait = job.wait
    if wait is None or wait.lane == provider:
        return math.inf
    return wait.until if wait.lane is None else min(wait.until, trio.current_time() + MEMORY)


class Overtaking:
    """Takes turns with the usual way, in which each request comes in its order: nobody is overtaken
    for ever.

    Looks on where it looked last. `store`'s errors are `lease`'s, but for what it refuses: that is
    left to the usual way, which finds out what is wrong with a row.
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
        """At most so many of others; nothing if it is not their turn, or there are none."""
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
        if len(deliveries) == len(found.msg_ids):  # else others were too large, or are being taken
            self._looked_until = found.looked_until
        return deliveries
