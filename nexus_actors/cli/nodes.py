"""`nexus nodes`, and `nexus status --all`: every process of the service, on any host."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import note, print_json, say
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from nexus_actors.storage.postgres.node_store import NodeStatus

_GONE = ("stopped", "lost")
_STYLES = {"ready": "green", "stopped": "dim", "lost": "bold red", "degraded": "bold yellow"}


def nodes(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show every process of the service that uses this database.

    For each: state, version, start time, requests held, concurrent calls, actor restarts, last
    heartbeat and last error.

    A node sends a heartbeat every two seconds. After ten seconds without one it is lost, and other
    nodes lease its requests when its leases lapse. A node that is gone is shown for a day.

    Example: nexus nodes --json
    """
    show_nodes(config, json=json)


def show_nodes(config: Path | None, *, json: bool) -> int:
    """Print the nodes. Exit code 6 if one is lost or degraded."""
    found = run(_read, running_database(read_settings(config)))
    if json:
        print_json([asdict(it) for it in found])
    elif not found:
        note("no node is known: no service has used this database")
    else:
        from nexus_actors.cli.screen import Screen

        screen = Screen()
        screen.print(nodes_table(found, screen.width))
        for line in _notes(found, screen.width):
            say(line)
    troubled = any(it.state in ("degraded", "lost") for it in found)
    return exit_codes.DEGRADED if troubled else exit_codes.OK


def nodes_table(found: "Sequence[NodeStatus]", width: int) -> "Table":
    """One line per node. A narrow table leaves out what `_notes` prints then. Nodes with the same
    name are shown with their ids."""
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import cell, one_line
    from nexus_actors.cli.service_view import WIDE, age

    narrow = width < WIDE
    names = [it.name for it in found]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("node", no_wrap=True, overflow="ellipsis", max_width=24 if narrow else None)
    for name in ("state", "version"):
        table.add_column(name, no_wrap=True)
    for name in ("up", "held", "at once", "restarts", "beat"):
        table.add_column(name, justify="right", no_wrap=True)
    if not narrow:
        table.add_column(one_line("last error"))
    for it in found:
        up = (it.beat_at - it.started_at).total_seconds()
        limits = ", ".join(f"{name} {limit}" for name, limit in it.concurrency.items()) or "-"
        table.add_row(
            it.name if names.count(it.name) == 1 else f"{it.node[:8]} {it.name}",
            cell(it.state, _STYLES.get(it.state, "")),
            it.version,
            "-" if it.state in _GONE else age(max(up, 0)),
            str(it.in_flight),
            str(sum(it.concurrency.values())) if narrow else limits,
            str(it.restarts),
            age(it.beat_age),
            *(() if narrow else (one_line(it.last_error or "-"),)),
        )
    return table


def _notes(found: "Sequence[NodeStatus]", width: int) -> "Iterator[str]":
    """What a node waits for, and what has no room in the table."""
    from nexus_actors.cli.service_view import WIDE

    for it in found:
        if it.why is not None and it.state not in _GONE:
            yield f"{it.name} is {it.state}: {it.why}"
        if it.chores:
            yield f"{it.name} is leader for: {', '.join(it.chores)}"
        if it.last_error is not None and width < WIDE:
            yield f"{it.name}: last error {it.last_error}"


async def _read(url: str) -> "list[NodeStatus]":
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.node_store import list_nodes

    async with open_postgres(url, pool_size=1) as pool:
        return await pool.run(list_nodes)
