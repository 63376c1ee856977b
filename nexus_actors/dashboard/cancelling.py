"""Which of a filter's requests can be cancelled together."""

from dataclasses import dataclass, field
from typing import Final

from nexus_actors.monitoring.requests import LIVE, Filter, Found

_KNOWN: Final = (
    "They cannot be cancelled together from here: cancelling selects by agent and state, or by the"
    " provider they wait for, and would include others."
)


@dataclass(frozen=True, slots=True)
class Cancels:
    """The button that cancels all unfinished requests of a filter."""

    label: str = ""
    """The button's text; empty if there is no button."""
    parameters: dict[str, str] = field(default_factory=dict)
    """The form's initial values."""
    why_not: str = ""
    """Why there is no button, although there are requests to cancel."""


def cancel_of(found: Found, which: Filter, due: int) -> Cancels:
    """How to cancel the filter's unfinished requests, if that would cancel exactly these. `due`:
    messages that were never leased; included unless filtered by provider or running state."""
    meant = LIVE if which.state is None else tuple({which.state} & {*LIVE})
    if which.until is not None or not meant:
        return Cancels()
    counts = found.counts.get("state", {})
    number = sum(counts.get(it, 0) for it in meant)
    takes_due = which.provider is None and which.state != "leased" and due > 0
    state = _state(found, which, number)
    if state is None or which.task or which.model or which.error or which.least_cost is not None:
        return Cancels(why_not=_KNOWN if number else "")
    if not number and not takes_due:
        return Cancels()
    more = "" if all(it.is_all for it in found.kinds if it.name in LIVE) else "+"
    label = f"Cancel {number:,}{more} unfinished"
    if takes_due:
        label = f"{label}, and those never leased" if number else "Cancel those never leased"
    parameters = {"agent": which.agent or "", "provider": which.provider or "", "state": state}
    return Cancels(label, parameters)


def _state(found: Found, which: Filter, number: int) -> str | None:
    """The state as `cancel-where` names it; None if that would include others, or not all."""
    counts = found.counts.get("state", {})
    if which.provider is not None:
        return "queued" if number == found.in_lane else None
    match which.state:
        case "leased":
            return "running"
        case None:
            return "any"
        case state:  # cancelling does not distinguish waiting from queued
            other = "queued" if state == "waiting" else "waiting"
            return None if counts.get(other, 0) else "queued"
