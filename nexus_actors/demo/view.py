"""The demo's output: numbered headings, a sentence about what follows, a table."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nexus_actors.cli.ask import cost_text
from nexus_actors.cli.screen import Screen, cell
from nexus_actors.cli.service_view import fit
from nexus_actors.demo.evidence import Row
from nexus_actors.demo.promises import Promise

WIDTH_WITHOUT_TERMINAL = 120
"""Columns for a log or a pipe. The default of rich is 80."""
INDENT = (0, 0, 0, 2)


class View:
    """The demo's standard output."""

    def __init__(self) -> None:
        self.console = Screen()
        if not self.console.is_terminal:
            self.console = Screen(width=WIDTH_WITHOUT_TERMINAL)
        self._chapter = 0

    def heading(self, title: str, *sentences: str) -> None:
        """Begin a chapter, and say what it shows."""
        self._chapter += 1
        self.console.print()
        self.console.print(Text(f" {self._chapter} ", "bold reverse cyan"), Text(title, "bold"))
        for sentence in sentences:
            self.say(sentence, "dim")
        self.console.print()

    def say(self, text: str, style: str = "") -> None:
        """Print one paragraph."""
        self.console.print(Padding(Text(text, style), INDENT, expand=False))

    def show(self, what: Table) -> None:
        """Print a table, indented."""
        fit(what, self.console)
        self.console.print(Padding(what, INDENT, expand=False))

    def promises(self, promises: Sequence[Promise]) -> None:
        """Print the promises, and whether they hold."""
        for kept, text in promises:
            mark = Text("✓ ", "bold green") if kept else Text("✗ ", "bold red")
            line = mark + Text(text, "" if kept else "bold red")
            self.console.print(Padding(line, INDENT, expand=False))


def results_table(rows: Sequence[Row]) -> Table:
    """One line per result."""
    table = _table("request", "complexity", "task", "model")
    for name in ("tokens", "cost", "latency"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", overflow="ellipsis")
    for row in rows:
        ok = row["status"] == "success"
        table.add_row(
            row["request_id"],
            row["complexity"] or "-",
            row["task_type"] or "-",
            row["model"] or "-",
            str(row["tokens_used"]) if ok else "-",
            "-" if row["cost"] is None else cost_text(row["cost"]),
            f"{row['duration_ms']} ms",
            Text("ok", "green") if ok else cell(row["status"], "red"),
        )
    return table


def answers_table(rows: Sequence[Row], requests: Collection[str]) -> Table:
    """The answers to some requests."""
    table = _table("request", "answer")
    for row in rows:
        if row["request_id"] in requests:
            table.add_row(row["request_id"], row["response"] or "-")
    return table


def attempts_table(rows: Sequence[Row], requests: Sequence[str]) -> Table:
    """The attempts of some requests, in order."""
    table = _table("request", "attempt", "provider", "model", "outcome", "code")
    table.add_column("took", justify="right", no_wrap=True)
    chosen = (row for row in rows if row["request_id"] in requests)
    for request_id, attempts in groupby(chosen, key=lambda row: row["request_id"]):
        for index, row in enumerate(attempts):
            ok = row["outcome"] == "ok"
            table.add_row(
                "" if index else request_id,
                str(row["number"]),
                row["provider"],
                row["model"],
                cell(row["outcome"], "green" if ok else "red"),
                str(row["status_code"] or "-"),
                f"{row['duration_ms']} ms",
            )
    return table


def dead_table(rows: Sequence[Row]) -> Table:
    """The dead letters and their reasons."""
    table = _table("request", "reason")
    table.add_column("what was wrong", overflow="fold")
    for row in rows:
        table.add_row(row["request_id"], cell(row["reason"], "red"), str(row["message"]))
    return table


def job_results_table(rows: Sequence[Row]) -> Table:
    """Rows as an Ecto schema sees them."""
    table = _table("id", "status", expand=True)
    for name in ("tokens_used", "cost_cents", "duration_ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("output ->> 'response'", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(
            f"{row['id'][:8]}…",
            cell(row["status"], "green" if row["status"] == "success" else "red"),
            *(str(row[name]) for name in ("tokens_used", "cost_cents", "duration_ms")),
            "null" if row["response"] is None else row["response"],
        )
    return table


def _table(*columns: str, **options: Any) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), **options)
    for name in columns:
        # Without no_wrap, so that a narrow terminal shortens these columns first.
        table.add_column(name, overflow="ellipsis")
    return table
