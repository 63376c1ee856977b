"""Finds the cause of a blocked loop from samples and clocks, and describes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from supervisors.telemetry import BlockCause, LoopBlocked
from supervisors.watchdog.loop_view import CALLBACKS, Standing

_NOBODY = Standing(None, None, None, None, None, "")


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks at one moment, in seconds."""

    at: float
    """Real time."""
    cpu: float
    """CPU time of the loop's thread so far."""
    collecting: float
    """The time that the garbage collector has run so far."""


class Accounts:
    """Attributes the time in which the loop did not answer to causes.

    The watching thread sleeps for `period`, then takes a sample; the time between two samples is
    attributed. If it wakes in time, it would have noticed an answer: the same task in both samples
    has blocked the loop, since the loop has not come round in between; different tasks are a crowd.
    If it wakes late, it was blocked itself: then only the CPU time of the loop's thread counts,
    without the part of the collector.
    """

    def __init__(self, start: Reading, period: float) -> None:
        self.culprit: Standing | None = None
        """The task that was seen repeatedly; of several, the one seen longest."""
        self._period = period
        self._last = start
        self._here: Standing | None = None
        self._held = 0.0
        self._suspect: Standing | None = None
        self._suspected = 0.0
        self._cpu = 0.0
        self._seconds: dict[BlockCause, float] = dict.fromkeys(
            ("step", "lock", "collector", "stall", "crowd"), 0.0
        )

    def first(self, now: Reading, here: Standing | None) -> None:
        """The sample after the pause, a period without a request to the loop.

        here: what the loop is executing; None if it is idle. The same below.
        """
        if self._is_late(now):
            self._take_late(now, here, self._period)
        self._last, self._here = now, here

    def look(self, now: Reading, here: Standing | None) -> None:
        """A sample while waiting for the answer."""
        elapsed = now.at - self._last.at
        if self._is_late(now):
            self._take_late(now, here, 0.0)
        else:
            self._cpu += now.cpu - self._last.cpu
            if here is None:  # an idle loop would answer at once: the machine is overloaded
                self._seconds["stall"] += elapsed
            elif here.is_same(self._here):
                self._hold(here, elapsed)
            else:
                self._seconds["crowd"] += elapsed
                self._held = 0.0
        self._last, self._here = now, here

    def answered(self, now: Reading) -> None:
        """The loop has answered since the last sample."""
        if self._is_late(now):
            self._take_late(now, None, 0.0)
        else:
            self._cpu += now.cpu - self._last.cpu

    def judge(self, seconds: float) -> LoopBlocked:
        """The cause of a silence of `seconds`."""
        cause: BlockCause = "crowd"
        if any(self._seconds.values()):
            cause = max(self._seconds, key=self._seconds.__getitem__)
        if cause == "crowd" and self.culprit is not None:
            cause = "step"  # one of the crowd, but long enough for two samples
        named = {"step": self.culprit, "lock": self._suspect}.get(cause) or _NOBODY
        return LoopBlocked(
            seconds=seconds,
            cause=cause,
            caused_seconds=min(seconds, self._seconds[cause]),
            cpu_seconds=min(seconds, self._cpu),
            process=named.process,
            class_name=named.class_name,
            handler=named.handler,
            message=named.message,
            where=named.where or None,
        )

    def _is_late(self, now: Reading) -> bool:
        return now.at - self._last.at >= 2 * self._period

    def _take_late(self, now: Reading, here: Standing | None, allowed: float) -> None:
        last, before = self._last, self._here
        elapsed = now.at - last.at - allowed
        collecting = min(elapsed, now.collecting - last.collecting)
        computed = min(elapsed - collecting, max(0.0, now.cpu - last.cpu - collecting))
        self._cpu += min(elapsed, now.cpu - last.cpu)
        self._seconds["collector"] += collecting
        self._seconds["stall"] += elapsed - collecting - computed
        if here is not None and here.is_same(before):
            self._hold(here, computed)
            return
        self._held = 0.0
        self._seconds["lock"] += computed
        if computed > self._suspected:
            # A call that held the lock releases it right after, still in the same step.
            self._suspect, self._suspected = here or before, computed

    def _hold(self, here: Standing, seconds: float) -> None:
        self._held += seconds
        # A stalled machine shows one task repeatedly, too, but with hardly any CPU time.
        if self._held > max(self._seconds["step"], self._period / 2):
            self._seconds["step"] = self._held
            self.culprit = here


# --- in words ---


def who(named: Standing | LoopBlocked) -> str:
    """The named task: `Slow (SlowServer) in handle_call of Report, at file:line function`."""
    if named.process is None:
        text = "no task" if named.handler is None else f"the task {named.handler}"
    else:
        text = f"{named.process} ({named.class_name})"
        if named.handler in CALLBACKS:
            text += f" in {named.handler}"
        elif named.handler is not None:
            text += f" in its task {named.handler}"
    if named.message is not None:
        text += f" of {named.message}"
    return f"{text}, at {named.where}"


def sentence(event: LoopBlocked) -> str:
    """The text for the log."""
    part = f"{event.caused_seconds:.2f} s of it"
    match event.cause:
        case "step":
            why = f"by {who(event)} (seen there for {part})"
        case "lock" if event.where is None:
            why = f"{part} by a call that held the interpreter's lock, and was over before a look"
        case "lock":
            why = (
                f"{part} by a call that held the interpreter's lock, most likely one of"
                f" {who(event)}, which ran right after"
            )
        case "collector":
            why = f"{part} by the garbage collector"
        case "stall":
            why = (
                f"{part} by nobody here: the machine stood still or was busy, or another thread"
                " held the interpreter's lock"
            )
        case "crowd":
            why = "by many short steps, none of them to blame"
    return (
        f"the loop was blocked for at least {event.seconds:.2f} s, {why};"
        f" its thread computed for {event.cpu_seconds:.2f} s"
    )
