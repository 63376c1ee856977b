"""A process's inbox: a FIFO whose one reader is parked. Putting never blocks and never fails."""

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

# What others send; these count towards a bound.
CALL: Final = 0
CAST: Final = 1
INFO: Final = 2
# What the runtime sends: Down, Exit, timers; requests to stop; `system` requests; see Deferred.
SIGNAL: Final = 3
STOP: Final = 4
SYSTEM: Final = 5
DEFERRED: Final = 6


class Waits(Protocol):
    """Who waits for the answer to a message: `Caller` is the one kind."""

    def fail(self, error: Exception) -> None:
        """There will be none."""


W = TypeVar("W", bound=Waits)

# (kind, payload, who waits). A tuple, because an object per message costs three times as much.
Item: TypeAlias = tuple[int, object, W | None]

# After so many messages in a row the reader lets others run: a busy actor must not starve the rest.
FAIR_SHARE = 64

WhenFull: TypeAlias = Literal["refuse", "drop_oldest"]


@runtime_checkable
class Deferred(Protocol):
    """The payload of a DEFERRED item: what it is turns out when its turn comes."""

    def take(self) -> object | None:
        """The info for handle_info, or None if it has become pointless meanwhile."""


@dataclass(frozen=True, slots=True)
class MailboxBound:
    """How many unread calls, casts and infos a mailbox takes, and what then.

    "refuse": a call raises MailboxFull at once; a cast or info is dropped. "drop_oldest": the
    oldest of them makes room; if that is a call, its caller gets MailboxFull. What was dropped is
    counted, and told to telemetry. Signals (Down, Exit, timers, the request to stop) always get in.
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
    """Unbounded: back pressure is the business of those who send, by demand."""

    __slots__ = ("closed", "free_for", "items", "reader", "thread")

    limit: int | None = None
    dropped: int = 0

    def __init__(self) -> None:
        self.items: deque[Item[W]] = deque()
        self.reader: trio.lowlevel.Task | None = None
        """The task of the process while it is parked."""
        self.closed = False
        self.thread: int | None = get_ident()
        """The only one in which it may be filled: that of the process. None once it is closed."""
        self.free_for: int | None = self.thread
        """The one in which `items` may be appended to while no reader is parked, without `put`.
        None if it is closed, or bounded.
        """

    def __len__(self) -> int:
        return len(self.items)

    def put(self, item: Item[W]) -> None:
        """Append; dropped without a word once the mailbox is closed. Raises WrongThread."""
        # The runtime's hottest path: `closed` is looked at only by those whom `thread` stops.
        if get_ident() != self.thread:
            self._stopped()
            return
        reader = self.reader
        if reader is not None:
            try:
                reschedule(reader)  # before anything has changed: it raises once the run is over
            except (RuntimeError, AssertionError):
                refuse()
            self.reader = None
        self.items.append(item)

    def _stopped(self) -> None:
        if not self.closed:
            refuse()

    def put_first(self, item: Item[W]) -> None:
        """Put back a signal that comes before all others."""
        self.items.appendleft(item)

    def remove_signal(self, is_meant: Callable[[object], bool]) -> None:
        """Take out the first unread signal that is meant; nothing if there is none."""
        for position, (kind, payload, _) in enumerate(self.items):
            if kind == SIGNAL and is_meant(payload):
                del self.items[position]
                self.signal_taken()
                return

    def signal_taken(self) -> None:
        """The reader has taken something out of `items` that no bound counts."""

    async def get(self) -> Item[W]:
        """The next item. Cancelled, it takes none."""
        while not self.items:
            self.reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self.abort)
        return self.items.popleft()

    def abort(self, _: object) -> trio.lowlevel.Abort:
        """The parked reader is cancelled."""
        self.reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def close(self) -> list[Item[W]]:
        """Take out what was not read, and drop whatever comes from now on."""
        self.closed = True
        self.thread = self.free_for = None
        unread = list(self.items)
        self.items.clear()
        return unread


class BoundedMailbox(Mailbox[W]):
    """Takes `bound.limit` unread messages; signals always get in, and do not count."""

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
        """Append, if there is room, or make room. Raises WrongThread."""
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
        """Put back a signal."""
        self._signals += 1
        super().put_first(item)

    def signal_taken(self) -> None:
        """One less that does not count."""
        self._signals -= 1

    def _take_oldest(self) -> Item[W]:
        # one step for each signal that stands before it
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
