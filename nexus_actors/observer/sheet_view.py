"""The widget of a tab: lines, and tables below them."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from nexus_actors.observer import sheet
from nexus_actors.observer.grid import Grid
from nexus_actors.observer.sheet import Row, Sheet
from nexus_actors.observer.tabs import Tab

MOST_ROWS = 10
"""The most rows that a table shows without scrolling, if it is not the last."""


class SheetView(Vertical):
    """Shows one `Sheet` of a tab after another, and keeps the folded rows."""

    def __init__(self, tab: Tab) -> None:
        super().__init__(id=f"view-{tab.id}")
        self.tab = tab
        self.folded: frozenset[str] = frozenset()
        self.trouble: str | None = None
        """Why the content is out of date; None if it is not."""
        self._lines = Static(markup=False, classes="lines")
        self._shown_text = ""
        self._tables = Vertical(classes="tables")
        self._grids: dict[str, Grid] = {}
        self._empty: dict[str, Static] = {}
        self._seen: object = None
        self._words = ""
        self._enters = self._is_typed = False

    def compose(self) -> ComposeResult:
        """Lines, then tables."""
        yield self._lines
        yield self._tables

    @property
    def grid(self) -> Grid | None:
        """The table with the focus, else the last, which has the most room."""
        for grid in self._grids.values():
            if grid.has_focus:
                return grid
        return next(reversed(self._grids.values()), None)

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return None if self.grid is None else self.grid.current

    @property
    def words(self) -> str:
        """The words of the filter."""
        return self._words

    @words.setter
    def words(self, text: str) -> None:
        self._words = text
        self._draw()

    def typing(self, *, is_typed: bool) -> None:
        """Note whether the filter is being typed: the line that shows it appears afterwards."""
        self._is_typed = is_typed
        self._draw()

    def enter(self) -> None:
        """Focus a table with rows, or else any table, as soon as there is one."""
        grids = [it for it in self._grids.values() if it.row_count] or [*self._grids.values()]
        self._enters = not grids
        if grids:
            self.screen.set_focus(grids[0])

    def leave(self) -> None:
        """Take the focus no more: its tab is not the active one."""
        self._enters = False

    def fold(self, key: str, *, folded: bool) -> None:
        """Hide what is below a row, or show it again."""
        self.folded = self.folded | {key} if folded else self.folded - {key}
        self._draw()

    def show(self, seen: object) -> None:
        """Show what the source has read."""
        self._seen, self.trouble = seen, None
        self._draw()

    def show_trouble(self, why: str) -> None:
        """Keep the content, and add a line that says why it is out of date."""
        self.trouble = why
        self._draw()

    def _draw(self) -> None:
        # A filter also searches folded rows.
        folded = frozenset() if self._words else self.folded
        drawn = Sheet([], []) if self._seen is None else self.tab.draw(self._seen, folded)
        self._tell(drawn)
        for table in drawn.tables:
            grid = self._grids.get(table.name)
            if grid is None:
                grid = self._grids[table.name] = Grid(f"{self.tab.id}-{table.name}")
                nothing = self._empty[table.name] = Static(markup=False, classes="nothing")
                self._tables.mount(grid, nothing)
            grid.words = self._words
            grid.show(table)
            is_last = table is drawn.tables[-1]
            grid.styles.height = "1fr" if is_last and grid.row_count else _height(grid)
            self._say_empty(table.name, table.empty)
        if self._enters:
            self.enter()

    def _say_empty(self, name: str, empty: str) -> None:
        grid, nothing = self._grids[name], self._empty[name]
        nothing.display = grid.row_count == 0
        if nothing.display:
            nothing.update(f"  nothing matches {self._words}" if self._words else f"  {empty}")

    def _tell(self, drawn: Sheet) -> None:
        lines = list(drawn.lines)
        if self.trouble is not None:
            lines.insert(0, sheet.line(self.trouble, "bold red"))
        if self._words and not self._is_typed:
            lines.append(sheet.line(f"filter: {self._words}  (Esc ends it)", "bold"))
        text = Text("\n").join(lines)
        text.no_wrap, text.overflow = True, "ellipsis"
        if (markup := text.markup) != self._shown_text:
            self._shown_text = markup
            self._lines.update(text)
        self._lines.display = bool(lines)


def _height(grid: Grid) -> int:
    """The table's lines: its heading and its rows."""
    return 1 + min(grid.row_count, MOST_ROWS)
