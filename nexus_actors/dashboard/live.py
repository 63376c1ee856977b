"""Live updates: one task renders a page for all viewers who see the same, and sends it to each.

Whatever the number of viewers and pages, rendering takes at most a thirtieth of one processor: the
longer it takes, the longer are the pauses.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog
import trio

from nexus_actors.contract.json_text import dump
from nexus_actors.dashboard.visit import PageError, Role
from nexus_actors.storage.errors import StorageError

MOST_VIEWERS: Final = 160
MOST_TOPICS: Final = 40
MOST_OF_ONE: Final = 10
"""The most topics whose first viewer may be the same one."""
EVERY: Final = 2.0
"""The least seconds between the starts of two renderings."""
TIMES: Final = 30.0
"""The pause is this many times as long as rendering took, multiplied by the number of topics."""
LONGEST_PAUSE: Final = 60.0
ALIVE: Final = 8.0
"""Seconds without an event after which a comment is sent, to keep the connection alive."""

log = structlog.get_logger("nexus.dashboard")


@dataclass(frozen=True, slots=True)
class Topic:
    """What is viewed. Viewers who see the same share a topic."""

    here: str
    """The page's path and query."""
    role: Role


Render = Callable[[Topic], Awaitable[str]]
"""Renders the block `live` of a page. Raises PageError, StorageError."""


class Full(Exception):
    """There are too many viewers or topics."""


@dataclass(slots=True)
class _Renewed:
    """A topic with viewers."""

    first: str
    """The name of the first viewer."""
    viewers: set["Watching"] = field(default_factory=set)
    last: str = ""
    """The last event with content; empty before the first."""


@dataclass(eq=False, slots=True)
class Watching:
    """One viewer of a topic. A slow viewer gets only the newest event."""

    event: str = ""
    """The next event to send."""
    has_ended: bool = False
    changed: trio.Event = field(default_factory=trio.Event)

    def tell(self, event: str, *, is_last: bool = False) -> None:
        """Send an event, instead of one that was not sent yet."""
        self.event = event
        self.has_ended = is_last
        self.changed.set()

    async def next(self) -> str:
        """Wait for the next event; after `ALIVE` seconds, return a comment. Empty at the end."""
        with trio.move_on_after(ALIVE):
            await self.changed.wait()
        if not self.changed.is_set():
            return ": still here\n\n"
        event, self.event = self.event, ""
        if not self.has_ended:
            self.changed = trio.Event()
        return event


class Hub:
    """The topics and viewers of one service. Works while `run` runs."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._topics: dict[Topic, _Renewed] = {}
        self._viewers = 0
        self._nursery: trio.Nursery | None = None
        self._logged: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Render all topics. Never returns. If cancelled, it ends the streams of all viewers."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for topic, renewed in self._topics.items():  # entered before this ran
                    nursery.start_soon(self._keep, topic, renewed)
                await trio.sleep_forever()
        finally:
            self._nursery = None
            for renewed in self._topics.values():
                for viewer in renewed.viewers:
                    viewer.tell(_event("end", {}), is_last=True)
            self._topics.clear()

    def enter(self, topic: Topic, name: str) -> Watching:
        """Add a viewer. `name`: the viewer's. Raises Full."""
        if self._viewers >= MOST_VIEWERS:
            raise Full
        renewed = self._topics.get(topic)
        if renewed is None:
            own = sum(it.first == name for it in self._topics.values())
            if own >= MOST_OF_ONE or len(self._topics) >= MOST_TOPICS:
                raise Full
            renewed = self._topics[topic] = _Renewed(name)
            if self._nursery is not None:
                self._nursery.start_soon(self._keep, topic, renewed)
        watching = Watching()
        if renewed.last:
            watching.tell(renewed.last)
        renewed.viewers.add(watching)
        self._viewers += 1
        return watching

    def leave(self, topic: Topic, watching: Watching) -> None:
        """Remove a viewer."""
        self._viewers -= 1
        renewed = self._topics.get(topic)
        if renewed is not None:
            renewed.viewers.discard(watching)

    async def _keep(self, topic: Topic, renewed: _Renewed) -> None:
        """Render repeatedly, until the topic has no viewers."""
        html: str | None = None
        rounds = 0
        while renewed.viewers:
            began = trio.current_time()
            try:
                fresh = await self._render(topic)
            except PageError as error:
                self._tell(renewed, _event("end", {"why": str(error)}), is_last=True)
                break
            except StorageError as error:
                html = None
                self._tell(renewed, _event("trouble", {"why": str(error)}))
            except Exception as error:  # noqa: BLE001 - a page's bug is not the server's
                self._note(topic, error)
                html = None
                self._tell(renewed, _event("trouble", {"why": "it could not be made"}))
            else:
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                same, html = fresh == html, fresh
                renewed.last = _event("part", {"at": at, "html": html})
                self._tell(renewed, _event("same", {"at": at}) if same else renewed.last)
            # The first rendering does not count: it also connects and compiles.
            cost = trio.current_time() - began if rounds else 0.0
            rounds += 1
            pause = min(max(EVERY, TIMES * cost * len(self._topics)), LONGEST_PAUSE)
            await trio.sleep_until(began + pause)
        if self._topics.get(topic) is renewed:
            del self._topics[topic]

    def _tell(self, renewed: _Renewed, event: str, *, is_last: bool = False) -> None:
        for viewer in renewed.viewers:
            waits_for_all = viewer.event.startswith("event: part")
            if waits_for_all and event.startswith("event: same"):
                viewer.tell(renewed.last)  # not received yet
            else:
                viewer.tell(event, is_last=is_last)

    def _note(self, topic: Topic, error: Exception) -> None:
        """Log an error once per page and type: it may recur every two seconds."""
        page, name = topic.here.partition("?")[0], type(error).__name__
        if (page, name) not in self._logged:
            self._logged.add((page, name))
            log.error("a live page failed", page=page, error=name, exc_info=error)


def _event(name: str, data: object) -> str:
    """Format a server-sent event. The JSON contains no line breaks."""
    return f"event: {name}\ndata: {dump(data)}\n\n"
