"""Exports spans to a collector in a thread of its own.

The SDK's batch processor is not used: it may wait half a minute at a stop, and reports dropped
spans only in its own log.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from nexus_actors.tracing.spans import Span

MOST: Final = 8192
"""The most waiting spans, of about a kilobyte each. Further ones are dropped and counted."""
BATCH: Final = 512
"""About the number of spans that are sent together."""
LINGER: Final = 1.0
"""Seconds for which a batch gathers."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a stop waits until the remaining spans are sent."""

log = structlog.get_logger("nexus.tracing")


class Collector(Protocol):
    """The interface of `otlp.Collector`."""

    def send(self, spans: Sequence[Span]) -> str | None:
        """Send the spans. Returns why they were not accepted; None if they were."""
        ...

    def shutdown(self) -> None:
        """Make a `send` that runs in another thread end soon."""
        ...


@dataclass(slots=True)
class Counts:
    """Counts of spans since the process started."""

    sent: int = 0
    dropped: int = 0
    """Dropped because too many waited, or because of the stop."""
    failed: int = 0
    """Not accepted by the collector."""


class Exporting:
    """The exporter. `put` is called on the event loop and never blocks; the thread does the rest.

    A collector that is away, slow or refuses spans affects nothing else. The log says so once, and
    again when it accepts spans.
    """

    def __init__(self, connect: Callable[[], Collector], where: str) -> None:
        """`connect` is called in the thread, since its imports take a second. `where` is the
        collector's address, for the log."""
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
        """Queue the spans, or drop them if too many wait."""
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
        """Send the remaining spans for at most `timeout` seconds, and drop the rest. This blocks,
        so call it after the event loop has ended."""
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
        except Exception as error:  # noqa: BLE001 - tracing must not affect requests
            # Without its message, which may quote a header.
            log.error("nothing is traced any more", error=type(error).__name__)  # noqa: TRY400
            with self._lock:
                self._closed = True

    def _next(self) -> Sequence[Span]:
        """The next batch; empty once no more will come."""
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
