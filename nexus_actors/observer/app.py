"""The observer's textual app: tabs, of which the active one is refreshed, and their keys."""

import asyncio
import time
from contextlib import suppress
from typing import ClassVar, Final

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static, TabbedContent, TabPane

from nexus_actors.contract.shown_text import printable
from nexus_actors.observer.actor_screen import ActorScreen
from nexus_actors.observer.dialogs import Ask, ChooseColumn, Confirm, Reading
from nexus_actors.observer.row_actions import ROW_ACTIONS, RowAction
from nexus_actors.observer.sheet_view import SheetView
from nexus_actors.observer.snapshots import (
    LetterSnapshot,
    LogLine,
    NodeSnapshot,
    RequestSnapshot,
    WaitingSnapshot,
)
from nexus_actors.observer.source import OFTEN, Action, Away, Source
from nexus_actors.observer.tabs import TABS
from nexus_actors.observer.tree_rows import ActorRow

REFRESH: Final = 2.0
"""Seconds between two updates of the screen."""
LEAST_REFRESH: Final = 1.0
KEYS: Final = """\
1 … 7        a tab              Tab, Shift+Tab   between tabs and tables
arrows       a row              Enter            look into it
/            filter             Esc              end the filter, close a window
o            sort by a column   < >              by the column before, after
r            renew now          q, Ctrl+C        quit

Tree         left, right: fold, unfold; -, +: all
             Enter: state, mailbox, messages a second; t there: trace
             k: restart the actor, K: kill it
Providers    p: pause, u: resume, s: how many calls at once
Requests     c: cancel
Waiting      c: cancel
Dead letters t: send again, d: delete
Overview     D: drain the node, u: have it go on

Each of these asks once, and shows the SQL and the command that do the same.
"""


class Tabs(TabbedContent):
    """Tabs that only the user changes.

    Textual activates the tab of whatever takes the focus. A table takes it when it is first filled,
    which may be after the user has gone to another tab: the key press would be undone.
    """

    def on_tab_pane_focused(self, event: TabPane.Focused) -> None:
        """Activate nothing."""
        event.prevent_default()


class Observer(App[None]):
    """Shows what a source reads, and carries out its user's actions. Never exits by itself."""

    CSS_PATH = "observer.tcss"
    TITLE = "nexus observer"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"tab({n})", show=False) for n in range(1, len(TABS) + 1)),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("o", "sort", "Sort"),
        Binding("less_than_sign", "sort_beside(-1)", show=False),
        Binding("greater_than_sign", "sort_beside(1)", show=False),
        Binding("r", "renew", "Renew", show=False),
        Binding("escape", "unfilter", show=False),
        Binding("left", "fold", show=False),
        Binding("right", "unfold", show=False),
        Binding("minus", "fold_all", show=False),
        Binding("plus", "unfold_all", show=False),
        *(Binding(it.key, f"on_row('{it.id}')", it.label) for it in ROW_ACTIONS),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, source: Source, *, refresh: float = REFRESH) -> None:
        """`refresh`: seconds between two updates of the screen."""
        super().__init__()
        self.theme = "ansi-dark"
        self.animation_level = "none"
        self._source = source
        self._every = refresh
        self._wanted = asyncio.Event()
        self._said = ""
        self._tabs = Tabs()
        self._title_line = Static(id="title", markup=False)
        self._views = {tab.id: SheetView(tab) for tab in TABS}
        self.failure: Exception | None = None
        """The unexpected exception that ended the app."""

    def compose(self) -> ComposeResult:
        """A title, the tabs, the input of the filter, the keys."""
        yield self._title_line
        with self._tabs:
            for number, tab in enumerate(TABS, 1):
                with TabPane(f"{number} {tab.title}", id=tab.id):
                    yield self._views[tab.id]
        box = Input(id="filter", placeholder="filter: words that a row has; Enter, or Esc")
        box.display = False  # already now: else it has the focus until there is a table
        yield box
        yield Footer()

    def on_mount(self) -> None:
        """Begin to read the active tab."""
        self._title("")
        self.view.enter()
        self._look()

    @property
    def view(self) -> SheetView:
        """The view of the active tab."""
        return self._views[self._active]

    def _handle_exception(self, error: Exception) -> None:
        """Keep the exception for the app's runner to raise. Textual would also print the values of
        local variables, among them secrets."""
        super()._handle_exception(error)
        self._exit_renderables.clear()
        if self.failure is None:
            self.failure = error

    # --- reading ---

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        """Read the active tab repeatedly, and draw it every `refresh` seconds or when wanted."""
        due = 0.0
        while True:
            view = self.view
            seen: object = None
            trouble = None
            is_wanted = self._wanted.is_set()
            self._wanted.clear()
            try:
                seen = await view.tab.look(self._source)
            except Away as away:
                trouble = str(away)
            if view is not self.view:
                continue  # the user has gone on; a table that took the focus would lead back
            if is_wanted or time.monotonic() >= due:
                if trouble is None:
                    view.show(seen)
                else:
                    view.show_trouble(trouble)
                self._title(self._said)
                due = time.monotonic() + self._every
            with suppress(TimeoutError):
                async with asyncio.timeout(min(due - time.monotonic(), OFTEN)):
                    await self._wanted.wait()

    def _title(self, said: str) -> None:
        self._said = said
        title = Text("nexus observer  ", "bold", no_wrap=True, overflow="ellipsis")
        title.append(printable(self._source.subject, 100), "")
        if said:
            title.append(f"  {printable(said, 300)}", "bold")
        if title != self._title_line.content:
            self._title_line.update(title, layout=False)

    @on(Tabs.TabActivated)
    def _tab_changed(self) -> None:
        for view in self._views.values():
            if view is not self.view:
                view.leave()
        self._title("")
        self.refresh_bindings()
        self._look()

    def action_renew(self) -> None:
        """Read and draw at once."""
        self._wanted.set()

    # --- navigation ---

    def action_tab(self, number: int) -> None:
        """Activate a tab, and focus its table."""
        self._tabs.active = TABS[number - 1].id
        self.view.enter()

    def action_filter(self) -> None:
        """Open the input of the filter."""
        box = self.query_one("#filter", Input)
        box.value, box.display = self.view.words, True
        self.view.typing(is_typed=True)
        box.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        if event.input.display:
            self.view.words = event.value

    @on(Input.Submitted, "#filter")
    def _filter_taken(self) -> None:
        self._leave_filter()

    def action_unfilter(self) -> None:
        """Clear the filter."""
        self.view.words = ""
        self._leave_filter()

    def _leave_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.set_focus(None)  # also where there is no table yet: the input takes no more keys
        self.view.enter()
        self.view.typing(is_typed=False)

    def action_sort(self) -> None:
        """Let the user choose a column to sort by."""
        grid = self.view.grid
        if grid is None or grid.table is None:
            return

        def sort(chosen: int | None) -> None:
            if chosen is not None:
                grid.sort_by(chosen)

        self.push_screen(ChooseColumn([it.name for it in grid.table.columns]), sort)

    def action_sort_beside(self, step: int) -> None:
        """Sort by the column before or after the present one."""
        grid = self.view.grid
        if grid is None or grid.table is None:
            return
        now = -1 if grid.sorted_by is None else grid.sorted_by
        grid.sort_by(max(now + step, 0) % len(grid.table.columns))

    def action_fold(self) -> None:
        """Hide what is below the actor under the cursor."""
        self._fold(folded=True)

    def action_unfold(self) -> None:
        """Show what is below the actor under the cursor."""
        self._fold(folded=False)

    def _fold(self, *, folded: bool) -> None:
        row = self.view.current
        if row is not None and isinstance(row.subject, ActorRow):
            self.view.fold(row.key, folded=folded)

    def action_fold_all(self) -> None:
        """Hide what is below each supervisor, except the root."""
        grid = self.view.grid
        if grid is None or grid.table is None:
            return
        rows = [it.subject for it in grid.table.rows if isinstance(it.subject, ActorRow)]
        for it in rows:
            if it.is_supervisor and not it.is_root:
                self.view.fold(it.key, folded=True)

    def action_unfold_all(self) -> None:
        """Show all actors."""
        for key in self.view.folded:
            self.view.fold(key, folded=False)

    # --- details of a row ---

    @on(DataTable.RowSelected)
    def _row_selected(self) -> None:
        row = self.view.current
        match None if row is None else row.subject:
            case ActorRow(node=node, name=name):
                self.push_screen(ActorScreen(self._source, node, name, self._every))
            case RequestSnapshot(request_id=request_id):
                self._read(f"request {request_id}", request_id)
            case WaitingSnapshot(request_id=str(request_id)):
                self._read(f"request {request_id}", request_id)
            case LetterSnapshot(number=number):
                self._read(f"dead letter {number}", number)
            case LogLine(text=text):
                self.push_screen(Reading("log", text))
            case NodeSnapshot() as node:
                self.push_screen(Reading(node.name, _of_node(node)))

    @work(exclusive=True, group="read")
    async def _read(self, title: str, which: str | int) -> None:
        source = self._source
        try:
            if isinstance(which, int):
                text = await source.letter(which)
            else:
                text = await source.request(which)
        except Away as away:
            self._title(str(away))
        else:
            self.push_screen(Reading(title, text))

    def action_keys(self) -> None:
        """Show what the keys do."""
        self.push_screen(Reading("Keys", KEYS))

    # --- actions ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the row actions of other tabs."""
        if action != "on_row":
            return True
        return any(it.id == parameters[0] and self._active in it.tabs for it in ROW_ACTIONS)

    @property
    def _active(self) -> str:
        return self._tabs.active or TABS[0].id

    def action_on_row(self, which: str) -> None:
        """Ask for a value and for confirmation, then act on the row under the cursor."""
        row_action = next(it for it in ROW_ACTIONS if it.id == which)
        row = self.view.current
        subject = None if row is None else row.subject
        if subject is None or not row_action.fits(subject):
            self._title(f"choose {row_action.needs} first")
            return

        def confirm(value: str | None) -> None:
            if value is not None:
                self._confirm(row_action, subject, value)

        # Open the window at once, so that it gets the next keys.
        if row_action.asks is None:
            confirm("")
        else:
            self.push_screen(Ask(row_action.asks(subject)), confirm)

    def _confirm(self, row_action: RowAction, subject: object, value: str) -> None:
        try:
            action = self._source.meant(row_action.make(subject, value))
        except ValueError as error:
            self._title(str(error))
            return

        def act(is_meant: bool | None) -> None:
            if is_meant:
                self._title(f"{row_action.label.lower()} …")
                self._act(action)

        self.push_screen(Confirm(action), act)

    @work(group="act")
    async def _act(self, action: Action) -> None:
        try:
            said = await self._source.act(action)
        except Away as away:
            said = str(away)
        self._title(said)
        self._wanted.set()


def _of_node(node: NodeSnapshot) -> str:
    lines = [
        f"{name:<12} {printable(str(value))}"
        for name, value in (
            ("node", node.node),
            ("state", node.state),
            ("why", node.why or "-"),
            ("version", node.version),
            ("started", f"{node.started_at:%Y-%m-%d %H:%M:%S %Z}"),
            ("at work", node.in_flight),
            ("restarts", node.restarts),
            ("leader for", ", ".join(node.chores) or "-"),
            ("last error", node.last_error or "-"),
        )
    ]
    return "\n".join(lines)
