"""The window with one actor, refreshed while it is open, and with its trace."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from nexus_actors.contract.shown_text import printable, readable
from nexus_actors.observer import row_actions
from nexus_actors.observer.dialogs import Confirm
from nexus_actors.observer.snapshots import ActorSnapshot, TraceSnapshot
from nexus_actors.observer.source import OFTEN, Action, Away, Source

LONGEST_STATE = 20_000
"""The most characters of a state that are shown."""


class ActorScreen(ModalScreen[None]):
    """Shows an actor's state, mailbox, links and message rate, and traces it (types only)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Back"),
        Binding("t", "trace", "Trace"),
        Binding("k", "restart(False)", "Restart"),
        Binding("K", "restart(True)", "Kill", key_display="K"),
    ]

    def __init__(self, source: Source, node: str, name: str, refresh: float) -> None:
        """`refresh`: seconds between two updates of the screen."""
        super().__init__()
        self._source, self._of_node, self._actor, self._every = source, node, name, refresh
        self._before: tuple[float, int] | None = None
        self._traced = False
        self._said = ""

    def compose(self) -> ComposeResult:
        """A title, then the facts, the trace and the state."""
        yield Static(id="actor-title", markup=False)
        with VerticalScroll():
            yield Static(id="facts", markup=False)
            yield Static(id="trace", markup=False)
            yield Static(id="state", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read the actor."""
        self._tell("")
        self._look()

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        due = 0.0
        while True:
            said, seen, traced = self._said, None, None
            try:
                seen = await self._source.actor(self._of_node, self._actor)
                if self._traced:
                    traced = await self._source.trace(self._of_node, self._actor)
            except Away as away:
                said = str(away)
            # After its end, the trace is not read again, since that would begin a new one.
            has_ended = traced is not None and bool(traced.ended)
            self._traced = self._traced and not has_ended
            if has_ended or time.monotonic() >= due:
                self._draw(said, seen, traced)
                due = time.monotonic() + self._every
            await asyncio.sleep(min(due - time.monotonic(), OFTEN))

    def _draw(self, said: str, seen: ActorSnapshot | None, traced: TraceSnapshot | None) -> None:
        if seen is None:
            self._before = None
        else:
            self._set("#facts", Text("\n").join(self._facts(seen)))
            self._set("#state", Text("\n").join(_state(seen)))
        if traced is not None:
            self._set("#trace", Text("\n").join(_trace(traced)))
        self._tell(said)

    def _set(self, where: str, text: Text) -> None:
        shown = self.query_one(where, Static)
        if shown.content != text:
            shown.update(text)

    def _tell(self, said: str) -> None:
        title = Text(printable(self._actor, 100), "bold", no_wrap=True, overflow="ellipsis")
        self._set("#actor-title", title.append(f"  {printable(said, 300)}" if said else ""))

    def _facts(self, seen: ActorSnapshot) -> Iterator[Text]:
        names = {
            "class": seen.class_name,
            "is": seen.sys_state,
            "mailbox": f"{seen.mailbox_length:,} messages",
            "messages/s": self._rate(seen),
            "links": ", ".join(seen.links) or "-",
            "monitors": ", ".join(seen.monitors) or "-",
            "monitored by": ", ".join(seen.monitored_by) or "-",
            "linked tasks": ", ".join(seen.linked_tasks) or "-",
        }
        for name, value in names.items():
            yield Text(f"{name:<13}", "dim") + Text(printable(value, 2000))

    def _rate(self, seen: ActorSnapshot) -> str:
        if seen.messages is None:
            return "-"
        now, before = time.monotonic(), self._before
        self._before = (now, seen.messages)
        if before is None or seen.messages < before[1]:
            return "-"
        return f"{(seen.messages - before[1]) / max(now - before[0], 0.001):.1f}"

    def action_trace(self) -> None:
        """Begin a trace, or a new one."""
        self._traced = True
        self._look()

    def action_restart(self, now: bool) -> None:
        """Ask for confirmation, then restart the actor, or kill it (`now`)."""
        action = self._source.meant(row_actions.restart(self._of_node, self._actor, now=now))

        def act(is_meant: bool | None) -> None:
            if is_meant:
                self._act(action)

        self.app.push_screen(Confirm(action), act)

    @work(group="act")
    async def _act(self, action: Action) -> None:
        try:
            self._said = await self._source.act(action)
        except Away as away:
            self._said = str(away)
        self._before = None
        self._tell(self._said)

    async def action_close(self) -> None:
        """Close the window, and end the trace."""
        if self._traced:
            self.workers.cancel_node(self)  # else they would begin a new trace
            with suppress(Away):  # the trace then ends by itself
                await self._source.end_trace(self._of_node, self._actor)
        self.dismiss(None)


def _state(seen: ActorSnapshot) -> Iterator[Text]:
    yield Text("state", "dim")
    state = seen.state[:LONGEST_STATE]
    yield Text("\n".join(f"  {line}" for line in readable(state).split("\n")))


def _trace(traced: TraceSnapshot) -> Iterator[Text]:
    yield Text("trace: types, never contents", "dim")
    if not traced.lines:
        yield Text("  nothing yet")
    for line in reversed(traced.lines):
        yield Text(f"  {line.at.astimezone():%H:%M:%S.%f} {printable(line.what, 300)}")
    if traced.ended:
        yield Text(f"  {printable(traced.ended, 300)}; t begins anew", "bold")
