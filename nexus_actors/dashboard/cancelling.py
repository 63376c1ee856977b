"""What of a filter can be cancelled together."""

from dataclasses import dataclass, field
from typing import Final

from nexus_actors.monitoring.requests import LIVE, Filter, Found

_KNOWN: Final = (
    "They cannot be cancelled together from here: cancelling selects by agent and state, or by the"
    " provider they wait for, and would include others."
)


@dataclass(frozen=True, slots=True)
class Cancels:
    """The way to cancel all of a filter that has not ended."""

    label: str = ""
    """Of the button; empty: there is none."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Of the form."""
    why_not: str = ""
    """A line, where there is something to cancel and no button."""


def cancel_of(found: Found, which: Filter, due: int) -> Cancels:
    """How those of the filter are cancelled that have not ended: only where cancelling takes
    exactly these. `due`: messages that were never leased; of these an agent's are taken too."""
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
    """What cancelling calls the state; None where it would take others, or not all."""
    counts = found.counts.get("state", {})
    if which.provider is not None:
        return "queued" if number == found.in_lane else None
    match which.state:
        case "leased":
            return "running"
        case None:
            return "any"
        case state:  # those that wait and those that were given back are one to it
            other = "queued" if state == "waiting" else "waiting"
            return None if counts.get(other, 0) else "queued"
