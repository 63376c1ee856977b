"""Traces an actor, event by event, while an observer looks: types, never contents."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
import trio

from nexus_actors.operations.actors import find_actor
from nexus_actors.operations.control import CommandRefused
from supervisors import ActorRef, NoProcess, system

log = structlog.get_logger("nexus.trace")

LONGEST: Final = 60.0
"""The most seconds that a trace lasts."""
UNSEEN: Final = 10.0
"""Seconds without a query after which a trace ends: the observer has gone."""
MOST_EVENTS: Final = 200
MOST_TRACES: Final = 10


class ActorTrace:
    """A tracer that keeps an actor's last events. It outlives the actor."""

    def __init__(self, ref: ActorRef) -> None:
        self.ref = ref
        self.began = self.asked = trio.current_time()
        self.ended = ""
        """Why the trace has ended; empty while it runs."""
        self._events: deque[tuple[int, float, str]] = deque(maxlen=MOST_EVENTS)
        self._count = 0

    def __call__(self, event: system.TraceEvent) -> None:
        """Record an event, by the names of types."""
        match event:
            case system.Got(callback=callback, message=message, sender=sender):
                whose = "" if sender is None else f" from {sender.name}"
                what = f"got {type(message).__name__} in {callback}{whose}"
            case system.Did(callback=callback, result=result, seconds=seconds):
                name = type(result).__name__
                what = f"returned {name} from {callback} after {seconds * 1000:.3f} ms"
        self._count += 1
        self._events.append((self._count, time.time(), what))

    def as_dict(self) -> object:
        """The events for JSON: number, time (seconds since the epoch) and text of each."""
        return {"events": list(self._events), "ended": self.ended}

    @property
    def due(self) -> float:
        """When the trace ends, by `trio.current_time()`."""
        return min(self.began + LONGEST, self.asked + UNSEEN)

    def end(self, why: str) -> None:
        """End the trace, unless it has ended already."""
        if not self.ended:
            self.ended = why
            system.remove(self.ref, self)


class ActorTraces:
    """The running traces, by the actor's name. They end by themselves."""

    def __init__(self, root: Callable[[], ActorRef]) -> None:
        self._root = root
        self._traces: dict[str, ActorTrace] = {}

    async def __call__(self, arguments: Mapping[str, Any]) -> object:
        """The answer to `trace`: what `actor` did since the first query, newest last. With `end`,
        the trace ends. The end of a trace is reported once; the next query begins a new one."""
        name, end = arguments.get("actor"), arguments.get("end", False)
        if not isinstance(name, str) or not isinstance(end, bool):
            raise CommandRefused("actor: expected a name; end: true or false")
        trace = self._traces.get(name)
        if end:
            if trace is not None:
                trace.end("it was ended")
                del self._traces[name]
            return {"events": [], "ended": "it was ended"}
        if trace is None:
            ref = await self._find(name)
            trace = self._traces.get(name) or self._begin(name, ref)  # begun meanwhile?
        trace.asked = trio.current_time()
        if not trace.ref.is_alive:
            trace.end("the actor has ended")
        if trace.ended:
            del self._traces[name]
        return trace.as_dict()

    async def _find(self, name: str) -> ActorRef:
        root = self._root()
        ref = root if name == root.name else (await find_actor(root, name)).ref
        if ref is None:
            raise CommandRefused(f"{name} is stopped: there is no process")
        return ref

    def _begin(self, name: str, ref: ActorRef) -> ActorTrace:
        if len(self._traces) >= MOST_TRACES:
            raise CommandRefused(f"{MOST_TRACES} actors are traced already; try again in a minute")
        trace = self._traces[name] = ActorTrace(ref)
        try:
            system.install(ref, trace)
        except NoProcess as error:
            del self._traces[name]
            raise CommandRefused(f"{name} has ended just now") from error
        log.info("an actor is traced, as asked", actor=ref.name)
        trio.lowlevel.spawn_system_task(self._end_in_time, name, trace)
        return trace

    async def _end_in_time(self, name: str, trace: ActorTrace) -> None:
        due = 0.0
        while due != trace.due:  # each query moves it
            due = trace.due
            await trio.sleep_until(due)
        if due < trace.began + LONGEST:
            trace.end(f"nobody asked for it for {UNSEEN:.0f} s")
        else:
            trace.end(f"it was traced for {LONGEST:.0f} s")
        await trio.sleep(UNSEEN)  # for the last query
        if self._traces.get(name) is trace:
            del self._traces[name]
