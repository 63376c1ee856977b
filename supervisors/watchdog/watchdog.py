"""Watchdog: reports which handler has blocked trio's loop, and for how long."""

from __future__ import annotations

import gc
import logging
import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import trio

from supervisors._core.actor_ref import ActorRef
from supervisors._core.checks import is_seconds
from supervisors.servers.gen_server import GenServer
from supervisors.telemetry import LoopBlocked, execute
from supervisors.watchdog.loop_blame import Accounts, Reading, sentence, who
from supervisors.watchdog.loop_view import LoopView

logger = logging.getLogger("supervisors")

THREAD_NAME: Final = "supervisors-watchdog"


class Watchdog(GenServer):
    """Watches the loop it runs in: `ChildSpec("Watchdog", Watchdog)`, once in a program. As the
    first child it watches from the first init to the last terminate.

    All actors share one thread. An actor that computes, or waits without `await` (time.sleep, a
    synchronous client, a slow disk), delays all others; one that is slow but awaits delays nobody.
    When no actor could run for `threshold` seconds, this is logged once while it lasts: the actor,
    its class, the callback, the type of the message, and the current line. When it is over, a
    second line gives the total, and `telemetry.LoopBlocked` is emitted.

    An actor is named only if it was seen at several moments. Otherwise the cause is reported when
    the block is over: the machine stalled, the garbage collector ran, a call held the interpreter's
    lock so that nothing could be observed (see LoopBlocked.cause).

    Seconds are real seconds, whatever clock trio uses. A block of 1.5 times the threshold is always
    seen; one shorter than the threshold is never reported. Erlang preempts, and needs none of this;
    `erlang:system_monitor(long_schedule)` comes closest.

    It samples from its own thread, twice per threshold, and asks the loop to answer only if that
    is not idle, so that a virtual clock can jump. The thread ends with the actor, and with the
    loop; a block that outlasts it gets no second line.

    Do not use it under a debugger, which stops the loop, too.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        """`threshold`: seconds above zero. Raises ValueError."""
        if not is_seconds(threshold) or threshold in (0, math.inf):
            raise ValueError(f"threshold must be finite seconds above zero, not {threshold!r}")
        self._threshold = threshold

    async def init(self) -> None:
        """Start watching."""
        self.spawn_link(self._watch)

    async def _watch(self) -> None:
        # A linked task, because it is cancelled however the actor ends.
        watch = _Watch(self._threshold, self.ref)
        watch.start()
        try:
            await trio.sleep_forever()
        finally:
            watch.stop()

    async def handle_info(self, info: Any) -> None:
        """Handle messages from the thread: a finished block, or the thread's own failure."""
        match info:
            case LoopBlocked():
                logger.warning("%s", sentence(info), extra={"loop_blocked": info})
                if LoopBlocked.handlers:
                    execute(info)
            case _Failed(error):
                raise error
            case _:
                await super().handle_info(info)


@dataclass(frozen=True, slots=True, eq=False)
class _Failed:
    """The thread has ended with this error."""

    error: Exception


# --- the thread ---


class _Watch:
    """The watching thread. Created, started and stopped in the loop's thread."""

    def __init__(self, threshold: float, ref: ActorRef) -> None:
        self._threshold = threshold
        self._period = threshold / 2
        self._ref = ref
        self._token = trio.lowlevel.current_trio_token()
        self._view = LoopView()
        self._meter = _Meter()
        self._bell = threading.Event()
        """Set by the loop's answer, and by stop."""
        self._over = False
        self._answered_at = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name=THREAD_NAME, daemon=True).start()

    def stop(self) -> None:
        """Let the thread end. It is not waited for, since that would block the loop."""
        self._over = True
        self._bell.set()

    def _run(self) -> None:
        gc.callbacks.append(self._meter.collect)
        try:
            while not self._over:
                self._turn()
        except Exception as error:  # noqa: BLE001 - its actor crashes with it
            self._in_loop(self._ref.send, _Failed(error))
        finally:
            gc.callbacks.remove(self._meter.collect)

    def _turn(self) -> None:
        """Pause, take a sample, and if the loop is not idle, wait until it answers."""
        self._bell.clear()
        start = self._meter.read()
        if self._listen():
            return
        here = self._view.look()
        now = self._meter.read()
        accounts = Accounts(start, self._period)
        accounts.first(now, here)
        self._answered_at = now.at
        if here is not None:
            self._in_loop(self._answer)
            self._await_answer(start.at + self._period, accounts)
            if self._over:
                return
            accounts.answered(self._meter.read())
        seconds = self._answered_at - start.at - self._period
        if seconds >= self._threshold:
            self._in_loop(self._ref.send, accounts.judge(seconds))

    def _await_answer(self, due: float, accounts: Accounts) -> None:
        is_reported = False
        while not self._listen():
            here = self._view.look()
            now = self._meter.read()
            accounts.look(now, here)
            seconds = now.at - due
            if not is_reported and accounts.culprit is not None and seconds >= self._threshold:
                is_reported = True
                logger.warning(
                    "the loop is blocked, for %.2f s so far: it is in %s",
                    seconds,
                    who(accounts.culprit),
                )

    def _listen(self) -> bool:
        """Wait for the bell, at most one period. Whether it rang, or the thread is to end."""
        return self._over or self._bell.wait(self._period) or self._over

    def _answer(self) -> None:
        self._answered_at = time.monotonic()
        self._bell.set()

    def _in_loop(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._token.run_sync_soon(function, *args, idempotent=True)
        except (trio.RunFinishedError, OSError):
            # the loop has ended, or it has crashed, which closes the socket that wakes it
            self._over = True


class _Meter:
    """Created in the loop's thread, whose CPU time it measures."""

    def __init__(self) -> None:
        self._cpu_clock: int | None = None
        if sys.platform == "linux":
            self._cpu_clock = time.pthread_getcpuclockid(threading.get_ident())
        self._collecting = 0.0
        self._began: float | None = None

    def read(self) -> Reading:
        cpu = 0.0 if self._cpu_clock is None else time.clock_gettime(self._cpu_clock)
        now, began = time.monotonic(), self._began
        # The collecting thread may have been interrupted before it could add up its time.
        return Reading(now, cpu, self._collecting + (0.0 if began is None else now - began))

    def collect(self, phase: str, _: object) -> None:
        """The garbage collector calls this when it starts and stops, in any thread."""
        now = time.monotonic()
        if phase == "start":
            self._began = now
        elif self._began is not None:
            self._collecting += now - self._began
            self._began = None
