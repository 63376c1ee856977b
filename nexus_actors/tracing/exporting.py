"""Spans on their way to a collector, by a thread of their own.

Not by a batch processor of the SDK's: at a stop that waits for half a minute, and what it drops it
tells in its own log alone.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from nexus_actors.tracing.spans import Span

MOST: Final = 8192
"""Spans that wait at most, of about a kilobyte each. What comes beyond is dropped, and counted."""
BATCH: Final = 512
"""Spans that are sent at once, about."""
LINGER: Final = 1.0
"""Seconds in which a batch gathers."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a stop waits until what is left is sent."""

log = structlog.get_logger("nexus.tracing")


class Collector(Protocol):
    """What is known here of a collector (`otlp.Collector`)."""

    def send(self, spans: Sequence[Span]) -> str | None:
        """Send them; why they were not taken, None if they were."""
        ...

    def shutdown(self) -> None:
        """Let a `send` that another thread is in end soon."""
        ...


@dataclass(slots=True)
class Counts:
    """Of spans, since the process started."""

    sent: int = 0
    dropped: int = 0
    """Because too many waited, or the stop came first."""
    failed: int = 0
    """Because the collector did not take them."""


class Exporting:
    """`put` is called on the loop and waits for nobody; all else is the thread's.

    A collector that is away, slow, or refuses what it is sent harms nothing but the spans: that is
    told once in the log, and once it takes some again.
    """

    def __init__(self, connect: Callable[[], Collector], where: str) -> None:
        """`connect` is called by the thread, since it imports what takes a second. `where` it is,
        for the log."""
        self._connect = connect
        self._where = where
        self.counts = Counts()
        self._lock = threading.Lock()
        self._queue: deque[list[Span]] = deque()
        self._waiting = 0
        self._closed = False
        self._some, self._enough = threading.Event(), threading.Event()
        self._is_failing = False
        self._collector: Collector | None = None
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, spans: list[Span]) -> None:
        """Have them sent, or drop them where too many wait."""
        with self._lock:
            if self._closed or self._waiting + len(spans) > MOST:
                self.counts.dropped += len(spans)
                return
            self._queue.append(spans)
            self._waiting += len(spans)
            self._some.set()
            if self._waiting >= BATCH:
                self._enough.set()

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Send what is left, for so many seconds at most, and drop the rest. It blocks: it is for
        when the loop has ended."""
        with self._lock:
            self._closed = True
        self._enough.set()
        self._some.set()
        self._thread.join(timeout)
        with self._lock:
            self.counts.dropped += self._waiting
            self._queue.clear()
            self._waiting = 0
        if self._thread.is_alive() and self._collector is not None:
            self._collector.shutdown()
        if self.counts.dropped or self.counts.failed:
            log.warning("spans were lost", dropped=self.counts.dropped, failed=self.counts.failed)

    # -- in the thread

    def _run(self) -> None:
        try:
            collector = self._collector = self._connect()
            while batch := self._next():
                self._send(collector, batch)
            collector.shutdown()
        except Exception as error:  # noqa: BLE001 - whatever it is, it harms no request
            # Not what it says: it may quote a header.
            log.error("nothing is traced any more", error=type(error).__name__)  # noqa: TRY400
            with self._lock:
                self._closed = True

    def _next(self) -> Sequence[Span]:
        """What has gathered; nothing once no more will come."""
        self._some.wait()
        self._enough.wait(LINGER)
        with self._lock:
            batch: list[Span] = []
            while self._queue and len(batch) < BATCH:
                batch += self._queue.popleft()
            self._waiting -= len(batch)
            if not self._closed:
                if not self._queue:
                    self._some.clear()
                if self._waiting < BATCH:
                    self._enough.clear()
        return batch

    def _send(self, collector: Collector, batch: Sequence[Span]) -> None:
        trouble = collector.send(batch)
        if trouble is None:
            self.counts.sent += len(batch)
            if self._is_failing:
                log.info("traces are taken again", lost_meanwhile=self.counts.failed)
        else:
            self.counts.failed += len(batch)
            if not self._is_failing:
                log.warning("traces are not taken", endpoint=self._where, why=trouble)
        self._is_failing = trouble is not None
