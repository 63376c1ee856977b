"""The widget for tables. It draws only changes, and keeps the cursor on its row."""

from collections.abc import Sequence

from rich.text import Text
from textual.events import Resize
from textual.widgets import DataTable

from nexus_actors.observer.sheet import Cell, Column, Row, Table, matching, ordered, widths

_GAP = 1
_PADDING = 2 * _GAP


class Grid(DataTable[Cell]):
    """Shows one `Table` after another, sorted by the column `sorted_by`, filtered by `words`."""

    def __init__(self, name: str) -> None:
        super().__init__(
            id=f"grid-{name}",
            cursor_type="row",
            zebra_stripes=False,
            cell_padding=_GAP,
            show_row_labels=False,
        )
        self._shown: Table | None = None
        self._rows: dict[str, Row] = {}
        self.sorted_by: int | None = None
        self.reverse = False
        self.words = ""

    @property
    def table(self) -> Table | None:
        """The last table that was shown."""
        return self._shown

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        key = self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value
        return None if key is None else self._rows.get(key)

    def show(self, table: Table) -> None:
        """Draw the differences to the last table."""
        before, self._shown = self._shown, table
        if before is None or list(before.columns) != list(table.columns):
            self.clear(columns=True)
            self._set_columns(table.columns)
        here, was_last = self.current, self.cursor_row >= self.row_count - 1
        wanted = ordered(matching(table.rows, self.words), self.sorted_by, reverse=self.reverse)
        self._take(wanted)
        self._arrange([row.key for row in wanted])
        if table.follows and was_last:
            self.move_cursor(row=max(self.row_count - 1, 0), animate=False)
        elif here is not None and here.key in self._rows:
            place = self.get_row_index(here.key)
            if place != self.cursor_row:
                self.move_cursor(row=place, animate=False)

    def again(self) -> None:
        """Sort and filter the same table again."""
        if self._shown is not None:
            self.show(self._shown)

    def sort_by(self, column: int) -> None:
        """Sort by a column; a second call reverses, a third one restores the source's order."""
        if self.sorted_by != column:
            self.sorted_by, self.reverse = column, False
        elif not self.reverse:
            self.reverse = True
        else:
            self.sorted_by, self.reverse = None, False
        self._label()
        self.again()

    def on_resize(self, _event: Resize) -> None:
        """Fit the columns to the new width."""
        self._fit()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """Sort by the heading that was clicked."""
        event.stop()
        self.sort_by(event.column_index)

    def _set_columns(self, columns: Sequence[Column]) -> None:
        self._rows = {}
        self.sorted_by = None
        for place, it in enumerate(columns):
            self.add_column(self._heading(place, it), key=str(place), width=it.width)
        self._fit()

    def _heading(self, place: int, column: Column) -> Text:
        mark = "" if self.sorted_by != place else (" v" if self.reverse else " ^")
        return Text(column.name + mark, justify="right" if column.right else "left", no_wrap=True)

    def _label(self) -> None:
        if self._shown is None:
            return
        for place, (column, it) in enumerate(
            zip(self.ordered_columns, self._shown.columns, strict=True)
        ):
            column.label = self._heading(place, it)
        self._clear_caches()
        self.refresh()

    def _fit(self) -> None:
        room = self.scrollable_content_region.width
        columns = self.ordered_columns
        shown = None if self._shown is None else self._shown.columns
        if not room or shown is None or len(shown) != len(columns):
            return
        for column, width in zip(columns, widths(shown, room, _PADDING), strict=True):
            column.width, column.auto_width = width, False
        self._clear_caches()
        self._require_update_dimensions = True
        self.refresh(layout=True)

    def _take(self, rows: Sequence[Row]) -> None:
        wanted = {row.key: row for row in rows}
        for key in [it for it in self._rows if it not in wanted]:
            self.remove_row(key)
        for key, row in wanted.items():
            before = self._rows.get(key)
            if before is None:
                self.add_row(*row.cells, key=key)
                continue
            for place, (old, new) in enumerate(zip(before.cells, row.cells, strict=True)):
                if not new.same_as(old):
                    self.update_cell(key, str(place), new)
        self._rows = wanted

    def _arrange(self, keys: Sequence[str]) -> None:
        present = [str(row.key.value) for row in self.ordered_rows]
        if present == keys:
            return
        for place, key in enumerate(keys):
            self.get_cell(key, "0").place = place
        self.sort("0", key=_place)


def _place(cell: Cell) -> int:
    return cell.place
