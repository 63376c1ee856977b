"""`nexus explain`: the history of a request, step by step and attempt by attempt."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, print_json, say
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from rich.table import Table

    from nexus_actors.monitoring.story import Story
    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.journal import JournalEntry, Queued

_SHOWN = (
    "state",
    "complexity",
    "task_type",
    "agent_id",
    "trace_id",
    "retry_of",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "cost_basis",
    "latency_ms",
    "error_type",
    "received_at",
    "finished_at",
    "result_trouble",
)


def explain(
    request_id: Annotated[str, Parameter(name="ID", help="The request's id.")],
    /,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show the history of a request: its steps, and each call with its outcome.

    It reads the journal, so it works while the request is in work. It then shows what the request
    waits for, since when and until when, and how many are ahead of it. It also shows what each
    model of the route would have cost for the tokens used. A request that was never leased is
    looked up among the newest messages.

    Example: nexus explain 0b7c3f1e
    Exit codes: 0 done; 5 nobody knows it (yet), as for nexus result; 4 the database cannot be read.
    """
    from nexus_actors.contract.trace import parse_traceparent
    from nexus_actors.monitoring.story import candidate_costs, steps_of

    settings = read_settings(config)
    url, queue = running_database(settings), settings.queue.requests
    found = run(_find, url, queue, request_id)
    if found.queued is not None:
        _print_queued(found.queued, found.pauses, request_id, json)
        return
    entry = _known(found, request_id)
    trace = parse_traceparent(entry.request.get("traceparent"))
    entry.request["trace_id"] = None if trace is None else trace.trace_id
    place = _place(settings, entry) if entry.request["state"] == "leased" else None
    steps = steps_of(entry)
    costs = candidate_costs(settings, entry, steps)
    if json:
        _print_json(found, entry, place, steps, costs)
    else:
        for line in _waits(found, place):
            say(line)
        _print(entry, steps, costs)


async def _find(url: str, queue: str, request_id: str) -> "Story":
    from nexus_actors.monitoring.story import find_story
    from nexus_actors.storage.postgres.connection import open_postgres

    async with open_postgres(url, pool_size=1) as pool:
        return await find_story(pool, queue, request_id)


def _known(found: "Story", request_id: str) -> "JournalEntry":
    """What the journal has. Raises CommandError if it has nothing."""
    if found.entry is not None:
        return found.entry
    unknown = f"the journal has no request {request_id}"
    if found.unsearched is not None:
        told = f"{unknown}, and the queue cannot be searched: {found.unsearched}"
        raise CommandError(told) from found.unsearched
    raise CommandError(f"{unknown}; {found.looked}", exit_codes.TIMED_OUT)


def _place(settings: "Settings", entry: "JournalEntry") -> Mapping[str, Any] | None:
    """Where the service that runs here holds the request, if it does."""
    from nexus_actors.operations import control_client

    key = {"msg_id": entry.request["msg_id"], "request_id": entry.request["request_id"]}
    try:
        place: Any = control_client.ask(settings.service.data_dir, "job", key)
    except control_client.ControlError:
        return None
    return place if isinstance(place, dict) else None


def _waits(found: "Story", place: Mapping[str, Any] | None) -> Iterator[str]:
    """What the request waits for, or where it is, in one or two lines."""
    wait = found.wait
    if wait is not None:
        yield f"waits for {wait['reason']}: {wait['detail'] or '-'}"
        words = [f"since {_utc(wait['since'])}"]
        words += [] if wait["until"] is None else [f"until {_utc(wait['until'])}"]
        words += [] if wait["before"] is None else [f"{wait['before']:,} ahead of it"]
        words += [] if wait["deadline"] is None else [f"times out at {_utc(wait['deadline'])}"]
        yield f"      {', '.join(words)}"
    elif found.holder is not None:
        it = found.holder
        state = f" ({it['state']})" if it["state"] else ""
        lapse = _utc(it["lapses_at"])
        yield f"leased by {it['name'] or it['node']}{state}"
        yield f"      without a heartbeat from it, the lease lapses at {lapse}"
    if place is not None:
        told = [place["place"], place["provider"], place["waits_for"]]
        yield f"in progress here: {', '.join(it for it in told if it)}"


def _utc(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _print_queued(
    queued: "Queued", pauses: Sequence[Mapping[str, Any]], request_id: str, as_json: bool
) -> None:
    if as_json:
        request = {
            "request_id": request_id,
            "state": "queued",
            "msg_id": queued.msg_id,
            "visible_from": queued.visible_from,
        }
        nothing_yet: Mapping[str, object] = {
            name: [] for name in ("steps", "candidates", "attempts", "retries")
        }
        print_json({"request": request, "pauses": pauses, **nothing_yet})
        return
    say(str(queued))
    for it in pauses:
        until = "" if it["until"] is None else f" until {_utc(it['until'])}"
        why = "" if it["why"] is None else f": {it['why']}"
        say(f"      {it['subject']} {it['name']} is paused by {it['by']}{until}{why}")


def _print_json(
    found: "Story",
    entry: "JournalEntry",
    place: Mapping[str, Any] | None,
    steps: Sequence[Mapping[str, Any]],
    costs: Mapping[str, float | None],
) -> None:
    print_json(
        {
            "request": entry.request,
            "waits": found.wait,
            "leased_by": found.holder,
            "in_process": place,
            "steps": steps,
            "candidates": [{"model": model, "cost": cost} for model, cost in costs.items()],
            "attempts": entry.attempts,
            "retries": entry.retries,
        }
    )


def _print(
    entry: "JournalEntry",
    steps: Sequence[Mapping[str, Any]],
    costs: Mapping[str, float | None],
) -> None:
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import Screen

    console = Screen()
    console.print(_facts(entry))
    if (after := entry.request.get("sent_again_after")) is not None:
        say(f"sent again under the same id, after {after} attempts: its result replaces the error")
    for step in steps:
        for line in _lines(step):
            say(line)
    for number, (model, cost) in enumerate(costs.items(), start=1):
        say(f"      {number}. {model}: {_unpriced(entry) if cost is None else f'${cost:.6f}'}")
    if not entry.attempts:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "model", "outcome", "ms", "cost", "what happened"):
        table.add_column(name, overflow="fold")
    for attempt in entry.attempts:
        table.add_row(*_cells(attempt))
    console.print(table)


def _unpriced(entry: "JournalEntry") -> str:
    from nexus_actors.monitoring.story import may_cost

    is_over = entry.request["finished_at"] is not None
    return "no tokens were used" if is_over and not may_cost(entry) else "cost unknown"


def _facts(entry: "JournalEntry") -> "Table":
    from rich.table import Table

    facts = Table(box=None, show_header=False, pad_edge=False)
    for name in _SHOWN:
        if entry.request.get(name) is not None:
            facts.add_row(name, str(entry.request[name]))
    for new_id in entry.retries:
        facts.add_row("retried as", new_id)
    return facts


def _lines(step: Mapping[str, Any]) -> Iterator[str]:
    """A step, why it failed, and a line with the reason for each model that could not be tried."""
    told = dict(step["detail"])
    message = told.pop("message", None)
    told.pop("candidates", None)  # printed with their costs
    skipped = told.pop("skipped", [])
    words = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}"
        for name, value in told.items()
        if value is not None
    ]
    yield "  ".join((f"step  {step['name']}: {step['outcome']}", *words))
    if message is not None:
        yield f"      {message}"
    for one in skipped:
        yield f"      not {one['provider']}/{one['model']}: {one['why']}"


def _cells(attempt: Mapping[str, Any]) -> tuple[str, ...]:
    from nexus_actors.monitoring.story import notes_of

    status = f" {attempt['status_code']}" if attempt["status_code"] else ""
    model = f"{attempt['provider']}/{attempt['model']}" if attempt["provider"] else "-"
    return (
        str(attempt["number"]),
        model,
        f"{attempt['outcome']}{status}",
        "-" if attempt["duration_ms"] is None else str(attempt["duration_ms"]),
        _cost(attempt),
        "; ".join(notes_of(attempt)),
    )


def _cost(attempt: Mapping[str, Any]) -> str:
    """The cost, with its source if that is not the price list."""
    basis = attempt["cost_basis"]
    if attempt["cost"] is None:
        return f"- ({basis})" if basis == "partial" else "-"
    return f"${attempt['cost']}" + (f" ({basis})" if basis not in (None, "list") else "")
