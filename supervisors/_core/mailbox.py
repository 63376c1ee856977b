"""A process's mailbox: a FIFO with one parked reader. Putting never blocks and never fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import trio
from trio.lowlevel import reschedule

from supervisors import telemetry
from supervisors._core.checks import broken, is_whole, reject
from supervisors._core.threads import refuse
from supervisors.errors import InvalidMailboxLimit, InvalidWhenFull, MailboxFull

# What others send. These count towards a bound.
CALL: Final = 0
CAST: Final = 1
INFO: Final = 2
# What the runtime sends: Down, Exit, timers; requests to stop; `system` requests; see Deferred.
SIGNAL: Final = 3
STOP: Final = 4
SYSTEM: Final = 5
DEFERRED: Final = 6


class Waits(Protocol):
    """Whoever waits for the answer to a message. Only `Caller` implements it."""

    def fail(self, error: Exception) -> None:
        """There will be no answer."""


W = TypeVar("W", bound=Waits)

# (kind, payload, caller). A tuple, because an object per message costs three times as much.
Item: TypeAlias = tuple[int, object, W | None]

# After this many messages in a row the reader yields: a busy actor must not starve the others.
FAIR_SHARE = 64

WhenFull: TypeAlias = Literal["refuse", "drop_oldest"]


@runtime_checkable
class Deferred(Protocol):
    """The payload of a DEFERRED item, which is determined when its turn comes."""

    def take(self) -> object | None:
        """The info for handle_info, or None if it has become irrelevant meanwhile."""


@dataclass(frozen=True, slots=True)
class MailboxBound:
    """The number of unread calls, casts and infos that a mailbox accepts, and its policy when full.

    "refuse": a call raises MailboxFull at once; a cast or info is dropped. "drop_oldest": the
    oldest of them makes room; if it is a call, its caller gets MailboxFull. Dropped messages are
    counted and emitted to telemetry. Signals (Down, Exit, timers, the request to stop) always fit.
    """

    limit: int
    when_full: WhenFull = "refuse"

    def __post_init__(self) -> None:
        has_limit = is_whole(self.limit) and self.limit != 0
        known = self.when_full in ("refuse", "drop_oldest")
        rules = (
            (has_limit, InvalidMailboxLimit, self.limit),
            (known, InvalidWhenFull, self.when_full),
        )
        reject(broken(rules))


class Mailbox(Generic[W]):
    """Unbounded: back-pressure is up to the senders, by demand."""

    __slots__ = ("closed", "free_for", "items", "reader", "thread")

    limit: int | None = None
    dropped: int = 0

    def __init__(self) -> None:
        self.items: deque[Item[W]] = deque()
        self.reader: trio.lowlevel.Task | None = None
        """The process's task while it is parked."""
        self.closed = False
        self.thread: int | None = get_ident()
        """The only thread that may put items: the process's. None once closed."""
        self.free_for: int | None = self.thread
        """The thread that may append to `items` directly, without `put`, while no reader is parked.
        None if closed or bounded.
        """

    def __len__(self) -> int:
        return len(self.items)

    def put(self, item: Item[W]) -> None:
        """Append an item. It is silently dropped once the mailbox is closed. Raises WrongThread."""
        # The runtime's hottest path: `closed` is only checked if the `thread` does not match.
        if get_ident() != self.thread:
            self._stopped()
            return
        reader = self.reader
        if reader is not None:
            try:
                reschedule(reader)  # before any change: it raises once the run is over
            except (RuntimeError, AssertionError):
                refuse()
            self.reader = None
        self.items.append(item)

    def _stopped(self) -> None:
        if not self.closed:
            refuse()

    def put_first(self, item: Item[W]) -> None:
        """Put a signal back, before all other items."""
        self.items.appendleft(item)

    def remove_signal(self, is_meant: Callable[[object], bool]) -> None:
        """Remove the first unread signal that matches, if there is one."""
        for position, (kind, payload, _) in enumerate(self.items):
            if kind == SIGNAL and is_meant(payload):
                del self.items[position]
                self.signal_taken()
                return

    def signal_taken(self) -> None:
        """The reader has taken an item out of `items` that does not count towards the bound."""

    async def get(self) -> Item[W]:
        """The next item. If cancelled, it takes none."""
        while not self.items:
            self.reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self.abort)
        return self.items.popleft()

    def abort(self, _: object) -> trio.lowlevel.Abort:
        """The parked reader was cancelled."""
        self.reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def close(self) -> list[Item[W]]:
        """Remove and return the unread items, and drop all later ones."""
        self.closed = True
        self.thread = self.free_for = None
        unread = list(self.items)
        self.items.clear()
        return unread


class BoundedMailbox(Mailbox[W]):
    """Accepts `bound.limit` unread messages. Signals always fit, and do not count."""

    __slots__ = ("_limit", "_name", "_signals", "_when_full", "dropped", "limit")

    def __init__(self, bound: MailboxBound, name: str) -> None:
        super().__init__()
        self.free_for = None
        self.limit: int | None = bound.limit
        self._limit = bound.limit
        self.dropped = 0
        self._when_full = bound.when_full
        self._name = name
        self._signals = 0  # unread ones, so that a full mailbox is known without counting

    def put(self, item: Item[W]) -> None:
        """Append an item if there is room, or make room. Raises WrongThread."""
        if get_ident() != self.thread:
            self._stopped()
            return
        if item[0] < SIGNAL and len(self.items) - self._signals >= self._limit:
            if self._when_full == "refuse":
                self._drop(item)
                return
            self._drop(self._take_oldest())
        super().put(item)
        if item[0] >= SIGNAL:
            self._signals += 1

    def put_first(self, item: Item[W]) -> None:
        """Put a signal back."""
        self._signals += 1
        super().put_first(item)

    def signal_taken(self) -> None:
        """A signal was taken, which did not count."""
        self._signals -= 1

    def _take_oldest(self) -> Item[W]:
        # one step for each signal before it
        for position, item in enumerate(self.items):
            if item[0] < SIGNAL:
                del self.items[position]
                return item
        raise AssertionError("a mailbox of nothing but signals is not full")

    def _drop(self, item: Item[W]) -> None:
        self.dropped += 1
        kind, payload, caller = item
        if telemetry.MessageDropped.handlers:
            telemetry.execute(
                telemetry.MessageDropped(
                    self._name, self._when_full, type(payload).__name__, len(self.items)
                )
            )
        if kind == CALL and caller is not None:
            caller.fail(MailboxFull(self._name, payload, self._limit))
