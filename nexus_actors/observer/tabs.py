"""The tabs: what each reads from the source, and how it is drawn. `tree_rows` draws the tree."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text

from nexus_actors.observer import sheet
from nexus_actors.observer.sheet import Column, Row, Sheet, Table
from nexus_actors.observer.snapshots import (
    LetterSnapshot,
    LogLine,
    NodeSnapshot,
    Overview,
    ProviderSnapshot,
    QueueSnapshot,
    RequestSnapshot,
    TreeSnapshot,
    WaitingSnapshot,
)
from nexus_actors.observer.source import Source
from nexus_actors.observer.tree_rows import tree_sheet

Draw = Callable[[Any, frozenset[str]], Sheet]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab: `look` reads from the source what `draw` shows. `draw` is given the folded keys."""

    id: str
    title: str
    look: Callable[[Source], Awaitable[object]]
    draw: Draw


def overview(seen: Overview, _folded: frozenset[str]) -> Sheet:
    """The state, the rates, what is wrong, then the queues and the nodes."""
    return Sheet(
        lines=list(_head(seen)),
        tables=[
            Table("queues", _QUEUE_COLUMNS, [_queue(it) for it in seen.queues], "no queue is seen"),
            Table("nodes", _NODE_COLUMNS, [_node(it) for it in seen.nodes], "no node is seen"),
        ],
    )


def providers(seen: Sequence[ProviderSnapshot], _folded: frozenset[str]) -> Sheet:
    """Each provider on each node."""
    several = any(it.node for it in seen)
    # The spend is not known by node.
    columns = [Column("node", 9, 1), *_PROVIDER_COLUMNS[:-1]] if several else _PROVIDER_COLUMNS
    rows = [_provider(it, several=several) for it in seen]
    lines = [sheet.line(f"{it.name}: {it.why}", "yellow") for it in seen if it.why]
    return Sheet(lines[:5], [Table("providers", columns, rows, "no provider is seen")])


def requests(seen: Sequence[RequestSnapshot], _folded: frozenset[str]) -> Sheet:
    """Requests in work, and those that ended last."""
    return Sheet([], [Table("requests", _REQUEST_COLUMNS, [_request(it) for it in seen], "none")])


def waiting(seen: Sequence[WaitingSnapshot], _folded: frozenset[str]) -> Sheet:
    """What waits: by reason, then each request."""
    groups = [it for it in seen if it.request_id is None]
    single = [it for it in seen if it.request_id is not None]
    return Sheet(
        lines=[],
        tables=[
            Table("reasons", _REASON_COLUMNS, [_group(it) for it in groups], "nothing waits"),
            Table("waiting", _WAITING_COLUMNS, [_waits(it) for it in single], "nobody is listed"),
        ],
    )


def letters(seen: Sequence[LetterSnapshot], _folded: frozenset[str]) -> Sheet:
    """One row per letter."""
    rows = [_letter(it) for it in seen]
    return Sheet([], [Table("letters", _LETTER_COLUMNS, rows, "there are no dead letters")])


def log(seen: Sequence[LogLine], _folded: frozenset[str]) -> Sheet:
    """The last lines of the log."""
    styles = {"warning": "yellow", "error": "bold red", "critical": "bold red"}
    rows = [
        Row(
            it.key,
            (
                sheet.word(it.when),
                sheet.word(it.level, styles.get(it.level, "")),
                sheet.word(" ".join(it.text[: 2 * sheet.LONGEST].split())),
            ),
            it,
        )
        for it in seen
    ]
    nothing = "nothing was logged yet"
    return Sheet([], [Table("log", _LOG_COLUMNS, rows, nothing, follows=True)])


def trees(seen: Sequence[TreeSnapshot], folded: frozenset[str]) -> Sheet:
    """See `tree_rows`."""
    return tree_sheet(seen, folded)


TABS: Final = (
    Tab("overview", "Overview", lambda it: it.overview(), overview),
    Tab("tree", "Tree", lambda it: it.trees(), trees),
    Tab("providers", "Providers", lambda it: it.providers(), providers),
    Tab("requests", "Requests", lambda it: it.requests(), requests),
    Tab("waiting", "Waiting", lambda it: it.waiting(), waiting),
    Tab("letters", "Dead letters", lambda it: it.letters(), letters),
    Tab("log", "Log", lambda it: it.log(), log),
)
"""The tabs in their order; key 1 selects the first."""

_QUEUE_COLUMNS: Final = (
    Column("queue", 17, 1),
    *(Column(name, 8, right=True) for name in ("messages", "visible", "oldest")),
)
_NODE_COLUMNS: Final = (
    Column("node", 16, 2),
    Column("state", 9),
    Column("at work", 7, right=True),
    Column("restarts", 8, right=True),
    Column("seen", 6, right=True),
    Column("why, or leader for", 16, 3),
)
_PROVIDER_COLUMNS: Final = (
    Column("provider", 11, 1),
    Column("state", 12, 1),
    Column("run", 4, right=True),
    Column("wait", 4, right=True),
    Column("limit", 5, right=True),
    Column("ok/s", 5, right=True),
    Column("bad/s", 5, right=True),
    Column("mean", 7, right=True),
    Column("$/day", 7, right=True),
)
_REQUEST_COLUMNS: Final = (
    Column("when", 11),
    Column("state", 8),
    Column("request", 16, 2),
    Column("agent", 8, 1),
    Column("model", 10, 1),
    Column("took", 7, right=True),
    Column("error", 6, 1),
)
_REASON_COLUMNS: Final = (
    Column("waits for", 13),
    Column("requests", 8, right=True),
    Column("since", 11),
    Column("until", 11),
    Column("detail", 20, 1),
)
_WAITING_COLUMNS: Final = (
    Column("request", 18, 2),
    Column("agent", 10, 1),
    Column("waits for", 13),
    Column("since", 11),
    Column("until", 11),
    Column("ahead", 6, right=True),
)
_LETTER_COLUMNS: Final = (
    Column("number", 6, right=True),
    Column("since", 11),
    Column("request", 10, 1),
    Column("reason", 12, 1),
    Column("provider", 8),
    Column("what was wrong", 19, 3),
)
_LOG_COLUMNS: Final = (Column("when", 11), Column("level", 8), Column("line", 40, 1))


def _head(seen: Overview) -> Iterator[Text]:
    line = sheet.line(seen.state, sheet.STATES.get(seen.state, "bold"))
    yield line + sheet.line(f"  {seen.summary}")
    rates = [
        ("ok/s", seen.rate, 1),
        ("failed/s", seen.failed_rate, 1),
        ("mean ms", seen.mean_ms, 0),
        ("$ today", seen.spent_day, 2),
    ]
    yield sheet.line(
        "  ".join(
            f"{name} {'-' if value is None else f'{value:,.{places}f}'}"
            for name, value, places in rates
        )
    )
    if seen.waiting:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in seen.waiting.items())
        yield sheet.line(f"waiting  {counts}")
    for name, why in seen.outages.items():
        yield sheet.line(f"{name}: {why}", "yellow")
    for text in seen.paused:
        yield sheet.line(text, "cyan")
    for text in seen.trouble:
        yield sheet.line(text, "bold red")


def _queue(it: QueueSnapshot) -> Row:
    numbers = sheet.number(it.total), sheet.number(it.visible), sheet.seconds(it.oldest_seconds)
    return Row(it.name, (sheet.word(it.name), *numbers), it)


def _node(it: NodeSnapshot) -> Row:
    remark = it.why or ", ".join(it.chores) or it.last_error
    cells = (
        sheet.word(it.name),
        sheet.state(it.state),
        sheet.number(it.in_flight),
        sheet.number(it.restarts, style="bold yellow" if it.restarts else ""),
        sheet.seconds(it.beat_age),
        sheet.word(remark),
    )
    return Row(it.node, cells, it)


def _provider(it: ProviderSnapshot, *, several: bool) -> Row:
    failed = "bold yellow" if it.failed_rate else ""
    cells = (
        *([sheet.word(it.node)] if several else []),
        sheet.word(it.name),
        sheet.word(it.state, sheet.STATES.get(it.state, "bold yellow")),
        sheet.number(it.running),
        sheet.number(it.waiting),
        sheet.number(it.limit),
        sheet.number(it.rate, 1),
        sheet.number(it.failed_rate, 1, failed),
        sheet.milliseconds(it.mean_ms),
        *([] if several else [sheet.number(it.spent_day, 2)]),
    )
    return Row(f"{it.node}\0{it.name}", cells, it)


def _request(it: RequestSnapshot) -> Row:
    cells = (
        sheet.moment(it.at),
        sheet.state(it.state),
        sheet.word(it.request_id),
        sheet.word(it.agent_id),
        sheet.word("/".join(name for name in (it.provider, it.model) if name)),
        sheet.milliseconds(it.latency_ms),
        sheet.word(it.error_type, "bold red" if it.error_type else ""),
    )
    return Row(it.request_id, cells, it)


def _group(it: WaitingSnapshot) -> Row:
    cells = (
        sheet.word(it.reason),
        sheet.number(it.requests),
        sheet.moment(it.since),
        sheet.moment(it.until),
        sheet.word(it.detail),
    )
    return Row(f"{it.reason}\0{it.detail}", cells, it)


def _waits(it: WaitingSnapshot) -> Row:
    cells = (
        sheet.word(it.request_id),
        sheet.word(it.agent_id),
        sheet.word(it.reason),
        sheet.moment(it.since),
        sheet.moment(it.until),
        sheet.number(it.before),
    )
    return Row(str(it.request_id), cells, it)


def _letter(it: LetterSnapshot) -> Row:
    cells = (
        sheet.number(it.number),
        sheet.moment(it.dead_at),
        sheet.word(it.request_id),
        sheet.word(it.reason),
        sheet.word(it.provider),
        sheet.word(it.wrong),
    )
    return Row(str(it.number), cells, it)
