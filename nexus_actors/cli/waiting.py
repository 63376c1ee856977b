"""`nexus waiting`: what requests wait for."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import note, print_json
from nexus_actors.cli.running import run

Reason = Literal[
    "paused",
    "provider_full",
    "throttled",
    "circuit_open",
    "no_key",
    "budget",
    "rate_limit",
    "not_before",
    "lost_node",
    "not_leased",
]
"""Those of jobs, and two that only the database knows."""
if TYPE_CHECKING:
    from rich.table import Table

    from nexus_actors.cli.screen import Screen


def waiting(
    *,
    agent: Annotated[str | None, Parameter(help="Only requests of this agent_id.")] = None,
    reason: Annotated[Reason | None, Parameter(help="Only for this reason.")] = None,
    limit: Annotated[
        int,
        Parameter(
            help="Number of requests to list, longest waiting first.", validator=Number(gte=0)
        ),
    ] = 20,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show what requests wait for, since when and until when.

    Counts the requests by reason, then lists those that have waited longest. Requests that were
    never leased are counted in one row, not_leased: they wait for room, or for a pause of their
    queue. Times are UTC.

    Example: nexus waiting --agent billing --limit 5
    Exit codes: 0 done, also if nothing waits; 4 the database cannot be read.
    """
    settings = read_settings(config)
    queue = settings.queue.requests
    groups, requests = run(_read, running_database(settings), queue, agent, reason, limit)
    if json:
        print_json({"queue": queue, "reasons": groups, "requests": requests})
    elif not groups:
        note("nothing waits")
    else:
        _print(groups, requests)


async def _read(
    url: str, queue: str, agent: str | None, reason: str | None, limit: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.waiting import read_waiting

    async with open_postgres(url, pool_size=1) as pool:
        return await pool.run(read_waiting, queue, agent, reason, limit)


def _print(groups: Sequence[Mapping[str, Any]], requests: Sequence[Mapping[str, Any]]) -> None:
    from nexus_actors.cli.screen import Screen, one_line

    screen = Screen()
    table = _table("requests", "waits for", "detail", "since", "until")
    for row in groups:
        table.add_row(
            str(row["requests"]),
            row["reason"],
            one_line(row["detail"] or "-"),
            _time(row["since"]),
            _time(row["until"]),
        )
    screen.print(table)
    if requests:
        screen.print(requests_table(requests, screen))


def requests_table(requests: Sequence[Mapping[str, Any]], screen: "Screen") -> "Table":
    """One line per request. If the terminal is too narrow, agents are left out, then seconds and
    today's date. Ids are never cut, only wrapped."""
    from rich.measure import Measurement

    from nexus_actors.cli.screen import UNBOUNDED

    anything = screen.options.update_width(UNBOUNDED)
    for has_agents, is_short in ((True, False), (False, False), (False, True)):
        table = _requests_table(requests, has_agents, is_short)
        if Measurement.get(screen, anything, table).maximum <= screen.width:
            break
    return table


def _requests_table(
    requests: Sequence[Mapping[str, Any]], has_agents: bool, is_short: bool
) -> "Table":
    from nexus_actors.cli.screen import one_line

    names = ["request", "agent", "waits for", "since", "ahead", "times out at"]
    table = _table(*(it for it in names if has_agents or it != "agent"))
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    if is_short:
        table.show_edge, table.padding = False, (0, 0)
    for row in requests:
        table.add_row(
            row["request_id"],
            *([one_line(row["agent_id"] or "-")] if has_agents else []),
            row["reason"],
            _time(row["since"], is_short),
            "-" if row["before"] is None else str(row["before"]),
            _time(row["deadline"], is_short),
        )
    return table


def _table(*names: str) -> "Table":
    """A table in which the column `detail`, if present, shrinks on a narrow terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in names:
        table.add_column(name, overflow="ellipsis", no_wrap=name != "detail")
    return table


def _time(moment: datetime | None, is_short: bool = False) -> str:
    if moment is None:
        return "-"
    if not is_short:
        return f"{moment:%m-%d %H:%M:%S}"
    is_today = moment.date() == datetime.now(UTC).date()
    return f"{moment:%H:%M:%S}" if is_today else f"{moment:%m-%d %H:%M}"
