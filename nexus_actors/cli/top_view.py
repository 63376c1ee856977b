"""The display of `nexus top`, for 80 columns and more."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nexus_actors.cli.screen import cell, one_line
from nexus_actors.cli.service_view import WIDE, age
from nexus_actors.observer.rounds import Round

_NAME = 17
"""Columns left for a name on a terminal of 80 columns."""
_STYLES = {"ready": "bold green", "lost": "bold red", "degraded": "bold yellow"}


def render(it: Round, width: int) -> RenderableType:
    """The whole screen."""
    tables = (_queues(it, width), _providers(it, width))
    return Group(*_head(it), *(part for table in tables for part in (Text(), table)))


def _head(it: Round) -> Iterator[Text]:
    line, work = Text(f"{it.at:%H:%M:%S} UTC  ", "dim", no_wrap=True, overflow="ellipsis"), ""
    if it.service is None:
        yield line + Text("no answer from a service here", "bold yellow")
    else:
        one = it.service
        line += cell(one.name, "bold") + Text("  ") + cell(one.state, _STYLES.get(one.state, ""))
        yield line + Text(f"  {one.version}, up {age(one.uptime_seconds)}")
        work = f"  in work {one.in_work}, running {one.running}, unpublished {one.unpublished}"
        work += f", spooled {one.spooled}" if one.spooled else ""
    states = Counter(node.state for node in it.nodes)
    told = [
        Text(f"{count} ") + cell(state, _STYLES.get(state, "")) for state, count in states.items()
    ]
    yield Text("nodes  ", "dim") + (Text(", ").join(told) if told else Text("-")) + Text(work)
    if it.waiting:
        told = [Text(f"{count:,} ") + cell(reason) for reason, count in it.waiting.items()]
        yield Text("waiting  ", "dim") + Text(", ").join(told)
    outages = {} if it.service is None else it.service.outages
    yield from _lines([] if it.service is None else it.service.paused, "cyan")
    yield from _lines((f"{name}: {error}" for name, error in outages.items()), "yellow")
    yield from _lines(it.trouble, "bold red")


def _lines(texts: Iterable[str], style: str) -> Iterator[Text]:
    for it in texts:
        text = one_line(it)
        text.stylize(style)
        yield text


def _table(width: int, first: str, *numbers: str) -> Table:
    """A table of a name and numbers. Columns have the usual width of their numbers, so that they do
    not move between rounds."""
    wide = width >= WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 2 if wide else 1, 0, 0), header_style="dim")
    most = None if wide else _NAME
    table.add_column(first, no_wrap=True, overflow="ellipsis", min_width=_NAME, max_width=most)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True, min_width=6)
    return table


def _queues(it: Round, width: int) -> Table:
    table = _table(width, "queue", "messages", "visible", "oldest")
    for name, length in it.queues.items():
        oldest = length["oldest_seconds"]
        table.add_row(
            name,
            f"{length['total']:,}",
            f"{length['visible']:,}",
            "-" if oldest is None else age(oldest),
        )
    return table


def _providers(it: Round, width: int) -> Table:
    table = _table(
        width,
        "provider",
        "running",
        "queued",
        "limit",
        "ok/s",
        "failed/s",
        "mean",
        "$/hour",
        "$/day",
    )
    for name, calls in it.providers.items():
        failed = _number(calls.failed_per_second, 1)
        table.add_row(
            name,
            _number(calls.running),
            _number(calls.queued),
            _number(calls.limit),
            _number(calls.answered_per_second, 1),
            cell(failed, "bold yellow" if calls.failed_per_second else ""),
            _latency(calls.mean_ms),
            _number(calls.spent_hour, 2),
            _number(calls.spent_day, 2),
        )
    return table


def _number(value: float | None, places: int = 0) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def _latency(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"
