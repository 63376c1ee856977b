"""One request's story, and its messages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from nexus_actors.contract.trace import parse_traceparent
from nexus_actors.dashboard.visit import PageError, View, Visit
from nexus_actors.monitoring.command_text import shell_word
from nexus_actors.monitoring.messages import read_messages
from nexus_actors.monitoring.reading import Looking
from nexus_actors.monitoring.story import (
    Story,
    candidate_costs,
    find_story,
    may_cost,
    notes_of,
    steps_of,
)
from nexus_actors.monitoring.timeline import Span, outcome_of, timeline
from nexus_actors.storage.postgres.journal import JournalEntry, read_entry

LONGEST_ID: Final = 255
WIDTH: Final = 1000
"""The width of the drawing with the bars, in its own units."""
MOST_ROWS: Final = 200
"""The most steps, attempts and retries that are shown, each."""
_NARROWEST: Final = 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A span's place in the drawing, from 0 to `WIDTH`."""

    x: float
    width: float
    style: str
    text_x: float | None = None
    """Where the first text arrived."""


async def show(visit: Visit) -> View:
    """A request's story."""
    request_id = _request_id(visit)
    looking = Looking(visit.reader)
    story = await find_story(looking, visit.settings.queue.requests, request_id)
    if story.entry is None:
        return _without_entry(story, request_id)
    request = cast("Mapping[str, Any]", story.entry.request)
    steps = steps_of(story.entry)[:MOST_ROWS]
    spans = timeline(story.entry, steps, visit.now)[: 3 * MOST_ROWS]
    trace = parse_traceparent(request["traceparent"])
    ended: datetime | None = request["finished_at"]
    sent: datetime = request["received_at"]
    total = ((ended or visit.now) - sent).total_seconds()
    values = {
        "id": request_id,
        "shell_id": shell_word(request_id),
        "request": request,
        "total": max(0.0, total),
        "trace_id": None if trace is None else trace.trace_id,
        "wait": story.wait,
        "holder": story.holder,
        "spans": list(zip(spans, _bars(spans), strict=True)),
        "width": WIDTH,
        "may_cost": may_cost(story.entry),
        "steps": [_step(it) for it in steps],
        "costs": _costs(visit, story.entry, steps),
        "attempts": list(_attempts(story.entry)),
        "retries": story.entry.retries[:MOST_ROWS],
        "is_live": ended is None,
        "shows_messages": visit.settings.dashboard.show_messages,
    }
    return View("request.html", "Request", values)


async def show_messages(visit: Visit) -> View:
    """The request and its answer, for viewers who may see them. Viewing them is recorded."""
    request_id = _request_id(visit)
    visit.check_messages()
    entry = await visit.reader.reading(read_entry, request_id)
    if entry is None:
        raise PageError(404, "The journal has no such request.")
    messages = await read_messages(visit.reader, entry.request, visit.viewer.by)
    both = (("Request", messages.request), ("Answer", messages.answer))
    return View("request_messages.html", "Messages", {"id": request_id, "messages": both})


def _request_id(visit: Visit) -> str:
    request_id = visit.query.get("id", "")
    if not 1 <= len(request_id) <= LONGEST_ID or "\0" in request_id:
        raise PageError(400, f"id: expected a request's id of 1 to {LONGEST_ID} characters")
    return request_id


def _without_entry(story: Story, request_id: str) -> View:
    values = {
        "id": request_id,
        "queued": story.queued,
        "pauses": story.pauses,
        "looked": story.looked,
        "unsearched": None if story.unsearched is None else str(story.unsearched),
    }
    status = 200 if story.queued or story.unsearched else 404
    return View("request_unknown.html", "Request", values, status)


def _costs(
    visit: Visit, entry: JournalEntry, steps: Sequence[Mapping[str, Any]]
) -> list[tuple[str, float | None]]:
    try:
        costs = candidate_costs(visit.settings, entry, steps)
    except (TypeError, ValueError, AttributeError):  # steps of an unknown form
        return []
    return list(costs.items())[:MOST_ROWS]


def _bars(spans: Sequence[Span]) -> list[Bar]:
    begin = min(it.at for it in spans)
    whole = (max(it.until for it in spans) - begin).total_seconds() or 1.0

    def place(moment: datetime) -> float:
        return (moment - begin).total_seconds() / whole * (WIDTH - _NARROWEST)

    bars: list[Bar] = []
    for span in spans:
        x = place(span.at)
        width = max(_NARROWEST, (span.seconds or 0.0) / whole * (WIDTH - _NARROWEST))
        text_x = None
        if span.first_text is not None:
            text_x = round(min(x + span.first_text / whole * (WIDTH - _NARROWEST), x + width), 1)
        bars.append(Bar(round(x, 1), round(width, 1), _style(span), text_x))
    return bars


def _style(span: Span) -> str:
    """The CSS class of a span's bar."""
    if span.kind == "call":
        if span.is_open:
            return "fill-1"
        return "fill-well" if (span.outcome or "").startswith("ok") else "fill-bad"
    if span.kind == "end":
        return "fill-well" if span.outcome == "ok" else "fill-bad"
    return "fill-care" if span.kind == "wait" else "fill-5"


def _attempts(entry: JournalEntry) -> Iterator[Mapping[str, Any]]:
    for attempt in entry.attempts[:MOST_ROWS]:
        yield {**attempt, "notes": "; ".join(notes_of(attempt))}


def _step(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step as it is shown: its details, its message, and the skipped candidates with reasons."""
    detail = step["detail"] if isinstance(step["detail"], dict) else {"detail": step["detail"]}
    rest = dict(detail)
    message = rest.pop("message", None)
    rest.pop("candidates", None)  # shown with their costs
    skipped = rest.pop("skipped", None)
    words = [
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in rest.items()
        if value is not None
    ]
    if outcome_of(step) != step["outcome"]:
        words.append(f"afterwards: {step['outcome']}")
    return {
        "name": step["name"],
        "outcome": outcome_of(step),
        "at": step["at"],
        "words": "; ".join(words),
        "message": message,
        "skipped": [
            (f"{it.get('provider')}/{it.get('model')}", it.get("why"))
            for it in (skipped if isinstance(skipped, list) else [])[:MOST_ROWS]
            if isinstance(it, dict)
        ],
    }
