"""A tab on the screen: lines, and below them tables."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from nexus_actors.observer import sheet
from nexus_actors.observer.grid import Grid
from nexus_actors.observer.sheet import Row, Sheet
from nexus_actors.observer.tabs import Tab

MOST_ROWS = 10
"""That a table shows at once which others stand below."""


class SheetView(Vertical):
    """Shows one `Sheet` of a tab after another, and keeps what is folded."""

    def __init__(self, tab: Tab) -> None:
        super().__init__(id=f"view-{tab.id}")
        self.tab = tab
        self.folded: frozenset[str] = frozenset()
        self.trouble: str | None = None
        """Why what is shown is not as it is now."""
        self._lines = Static(markup=False, classes="lines")
        self._told = ""
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
        """The table with the focus, else the last, which is the longest."""
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
        """What each shown row has."""
        return self._words

    @words.setter
    def words(self, text: str) -> None:
        self._words = text
        self._draw()

    def typing(self, *, is_typed: bool) -> None:
        """Whether the filter is being written: the line that tells it comes when it is done."""
        self._is_typed = is_typed
        self._draw()

    def enter(self) -> None:
        """Have the keys move in a table with rows, as soon as there is one."""
        grids = [it for it in self._grids.values() if it.row_count] or [*self._grids.values()]
        self._enters = not grids
        if grids:
            self.screen.set_focus(grids[0])

    def fold(self, key: str, *, folded: bool) -> None:
        """Leave out what is below a row, or show it again."""
        self.folded = self.folded | {key} if folded else self.folded - {key}
        self._draw()

    def show(self, seen: object) -> None:
        """What the source has found."""
        self._seen, self.trouble = seen, None
        self._draw()

    def show_trouble(self, why: str) -> None:
        """What was shown stays, and a line says that it is old."""
        self.trouble = why
        self._draw()

    def _draw(self) -> None:
        # A filter goes through what is folded too.
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
        if (told := text.markup) != self._told:
            self._told = told
            self._lines.update(text)
        self._lines.display = bool(lines)


def _height(grid: Grid) -> int:
    """Lines: its heading, and its rows."""
    return 1 + min(grid.row_count, MOST_ROWS)
