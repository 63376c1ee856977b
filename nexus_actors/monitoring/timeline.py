"""The story of a request in chronological order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast

from nexus_actors.monitoring.story import notes_of
from nexus_actors.storage.postgres.journal import JournalEntry

ROUTED: Final = "route_llm"
"""The name of the step that chooses models."""
Kind = Literal["wait", "call", "step", "end"]


@dataclass(frozen=True, slots=True)
class Span:
    """One event, or something that lasted."""

    kind: Kind
    label: str
    at: datetime
    """When it began."""
    seconds: float | None = None
    """How long it took; None: it was a moment, or its duration is unknown."""
    first_text: float | None = None
    """For a streamed call: seconds until the first text."""
    outcome: str | None = None
    note: str = ""
    is_open: bool = False
    """Whether it is still going on."""
    number: int | None = None
    """The number of the attempt."""

    @property
    def until(self) -> datetime:
        """When it ended, as far as known."""
        return self.at + timedelta(seconds=max(0.0, self.seconds or 0.0))


def timeline(entry: JournalEntry, steps: Sequence[Mapping[str, Any]], now: datetime) -> list[Span]:
    """The events of a request, and the waits between its calls."""
    request = cast("Mapping[str, Any]", entry.request)
    sent, first, ended = request["received_at"], request["first_leased_at"], request["finished_at"]
    leased = max(sent, first or request["leased_at"])
    spans = [Span("wait", "In the queue", sent, _between(sent, leased))]
    last = leased
    for attempt in cast("Sequence[Mapping[str, Any]]", entry.attempts):
        call = _call(attempt)
        waited = _between(last, call.at)
        if waited > 0:
            label = "Until the first call" if call.number == 1 else "Until the next call"
            spans.append(Span("wait", label, last, waited))
        spans.append(call)
        last = max(last, call.until)
    if ended is not None:
        spans.append(Span("end", "Ended", ended, outcome=request["error_type"] or "ok"))
    elif request["state"] == "leased":
        spans.append(Span("call", "In work", max(last, request["leased_at"]), is_open=True))
    else:
        spans.append(Span("wait", "Waits", max(last, request["wait_since"] or last), is_open=True))
    spans = [_ongoing(it, now) if it.is_open else it for it in spans]
    return sorted([*_route(steps, spans), *spans], key=lambda it: it.at)


def outcome_of(step: Mapping[str, Any]) -> str:
    """A step's own outcome. The routing step is recorded with the outcome of the calls after it,
    but succeeded if it found models."""
    detail = step.get("detail")
    found = isinstance(detail, Mapping) and bool(detail.get("candidates"))
    return "ok" if step["name"] == ROUTED and found else str(step["outcome"])


def _ongoing(span: Span, now: datetime) -> Span:
    return replace(span, seconds=_between(span.at, now))


def _call(attempt: Mapping[str, Any]) -> Span:
    took, first_text = attempt["duration_ms"], attempt["first_text_ms"]
    named = [str(it) for it in (attempt["provider"], attempt["model"]) if it]
    model = "/".join(named) if attempt["provider"] else "interrupted"
    status = f" {attempt['status_code']}" if attempt["status_code"] else ""
    return Span(
        kind="call",
        label=f"Attempt {attempt['number']}: {model}",
        at=attempt["started_at"],
        seconds=None if took is None else took / 1000,
        first_text=None if first_text is None else first_text / 1000,
        outcome=f"{attempt['outcome']}{status}",
        note="; ".join(notes_of(attempt)),
        number=attempt["number"],
    )


def _route(steps: Sequence[Mapping[str, Any]], spans: Sequence[Span]) -> Iterator[Span]:
    """When the request was routed: before its first call, though the step may be recorded later.
    The clocks of two machines may differ, so a step outside the request's life is left out."""
    begin, end = spans[0].at, max(it.until for it in spans)
    first_call = min((it.at for it in spans if it.kind == "call" and it.number), default=end)
    for step in steps:
        at = step["at"]
        if step["name"] == ROUTED and isinstance(at, datetime) and begin <= at <= end:
            yield Span("step", "Routed", min(at, first_call), outcome=outcome_of(step))


def _between(begin: datetime, end: datetime) -> float:
    """Seconds, at least 0: the two times may come from different clocks."""
    return max(0.0, (end - begin).total_seconds())
