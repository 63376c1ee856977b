"""What has just gone back to wait: what need not wait is leased before its like."""

import math
from collections import deque
from collections.abc import Container, Hashable
from dataclasses import dataclass

from nexus_actors.contract.request import LLMRequest
from nexus_actors.work.job import Job

MOST = 64
"""Kinds of requests that are remembered."""
EACH = 4
"""Messages of each: the same may have been said in several ways."""


@dataclass(frozen=True, slots=True)
class _Example:
    msg_id: int
    provider: str
    until: float

    def stands(self, rooms: Container[str], now: float) -> bool:
        """Whether another like it would have to wait as well."""
        return self.provider not in rooms if self.until == math.inf else now < self.until


class Overtaken:
    """Messages as examples, by what they are routed by. `by_agent`: routes ask for the agent too.

    A guess, for order alone: requests that are like one of these may yet be routed in another way,
    and are then leased a little later.
    """

    def __init__(self, *, by_agent: bool = False) -> None:
        self.by_agent = by_agent
        self._examples: dict[Hashable, deque[_Example]] = {}

    def add(self, job: Job, until: float = math.inf) -> None:
        """It has to wait for room at its candidate's provider, or `until` that may be called. One
        with a past of its own is no example."""
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
        examples = self._examples.setdefault(kind, deque(maxlen=EACH))
        examples.append(_Example(job.lease.msg_id, provider, until))

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
