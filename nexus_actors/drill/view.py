"""The drill's progress bars and its verdict."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from nexus_actors.cli.screen import Screen
from nexus_actors.drill.evidence import Verdict
from nexus_actors.drill.state import STANDSTILL, State

_GAVE_UP = (
    f"It gave up: for {STANDSTILL:g} s no request ended, and nothing was killed or restarted."
    " Requests left in the queue are not lost. On a loaded machine, try smaller numbers."
)


@contextmanager
def progress(
    requests: int, kills: int, restarts: int, quiet: bool
) -> Iterator[Callable[[State], None]]:
    """Show three bars on standard error, if a terminal. Yields a function that updates them."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    shown = console.is_terminal and not quiet
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not shown
    ) as bars:
        ended = bars.add_task("requests ended", total=requests)
        killed = bars.add_task("services killed", total=kills)
        restarted = bars.add_task("database restarts", total=restarts)

        def tell(state: State) -> None:
            bars.update(ended, completed=state.ended)
            bars.update(killed, completed=state.kills)
            bars.update(restarted, completed=state.restarts)

        yield tell


def show(verdict: Verdict) -> None:
    """Print the numbers, and whether the promises held."""
    screen = Screen()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _rows(verdict).items():
        table.add_row(name, value)
    screen.print(table)
    if verdict.breaches:
        breaches = ", ".join(f"{name}: {count}" for name, count in verdict.breaches.items())
        screen.print(Text(f"✗ broken: {breaches} (--seed {verdict.seed})", "bold red"))
        if verdict.gave_up:
            screen.print(_GAVE_UP)
    else:
        screen.print(
            Text("✓ every request ended once, none was lost, and the money adds up", "bold green")
        )
    sys.stdout.flush()


def _rows(verdict: Verdict) -> dict[str, str]:
    recovery = "-"
    if verdict.recovery_median is not None:
        recovery = f"{verdict.recovery_median:g} s, at most {verdict.recovery_max:g} s"
    return {
        "requests (messages sent)": f"{verdict.requests:,} ({verdict.messages:,})",
        "ids with exactly one result": f"{verdict.results:,}",
        "results twice / lost": f"{verdict.duplicates} / {verdict.lost}",
        "without a row in job_results": str(verdict.unstored),
        "left in the queue": str(verdict.left_in_queue),
        "dead letters": str(verdict.dead_letters),
        "calls (spoiled by the provider)": f"{verdict.calls:,} ({verdict.faults:,})",
        "paid twice (without a mark)": f"{verdict.repeated_paid_calls}"
        f" ({verdict.repeated_unflagged})",
        "the provider's bill": f"${verdict.billed:.5f}",
        "recorded in nexus.attempts": f"${verdict.told:.5f}",
        "of calls of unknown cost": f"${verdict.unknown:.5f} ({verdict.unknown_calls:,} calls)",
        "spent of the budget": f"${verdict.spent:.5f} of ${verdict.budget:g}",
        "services killed": str(verdict.kills),
        "database restarts": str(verdict.restarts),
        "longest outage": f"{verdict.longest_outage:g} s",
        "SIGKILL to answering again": recovery,
        "seconds in all": f"{verdict.seconds:g}",
    }
