"""Why is it slow? The reasons that requests wait for, with an action that helps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.dashboard.visit import View, Visit
from nexus_actors.monitoring.control import read_control
from nexus_actors.monitoring.money import read_budgets
from nexus_actors.monitoring.waiting import FIXES, LOOKED_AT, Group, read_waiting

WORDS: Final[Mapping[str, str]] = {
    "provider_full": "All workers of its provider are busy",
    "throttled": "Its provider said to try later (429)",
    "circuit_open": "Calls to its model keep failing, so none is made for a while",
    "no_key": "Its provider accepts none of our keys",
    "budget": "Running calls have reserved the rest of its budget",
    "rate_limit": "The configured limit per minute is reached",
    "paused": "An operator has paused what it needs",
    "not_before": "It waits before a retry",
    "lost_node": "The node that had it is gone; another node takes it when the lease lapses",
}
"""The meaning of each reason in nexus.waiting."""
MANY: Final = 200


@dataclass(frozen=True, slots=True)
class Why:
    """A reason to wait, its meaning and its remedy."""

    group: Group
    meaning: str
    fix: str
    act: str
    """The action's name in `/act/NAME`; empty if there is none."""
    label: str
    parameters: Mapping[str, Any]


async def show(visit: Visit) -> View:
    """What waits and why, what comes next, and the pauses, limits and budgets in force."""
    waiting = await read_waiting(visit.reader)
    rows = await read_control(visit.reader)
    holds = [it for it in rows if it.action in ("pause", "drain") and not it.is_over]
    limits = [it for it in rows if it.action == "concurrency" and not it.is_over]
    budgets = await read_budgets(visit.reader, visit.settings.budgets)
    values = {
        "due": waiting.due,
        "queue": visit.settings.queue.requests,
        "reasons": [_why(it) for it in waiting.reasons],
        "requests": min(LOOKED_AT, sum(it.requests for it in waiting.reasons)),
        "is_more": waiting.is_more,
        "agents": waiting.agents,
        "next": waiting.next,
        "holds": holds[:MANY],
        "limits": limits[:MANY],
        "budgets": sorted(budgets, key=lambda it: it.left)[:MANY],
        "lanes": _lanes(waiting.reasons),
        "looked_at": LOOKED_AT,
        "now": visit.now,
    }
    return View("slow.html", "Why is it slow?", values)


def _why(group: Group) -> Why:
    reason = group.name or ""
    act, label, parameters = "", "", {}
    provider = group.provider
    match reason:
        case "paused" if group.lane:
            subject, name = _paused(group.lane)
            act, label = "resume", f"Resume {name}"
            parameters = {"subject": subject, "name": name}
        case "provider_full" | "throttled" | "rate_limit" if provider:
            act, label = "scale", f"Scale {provider}"
            parameters = {"provider": provider}
        case "circuit_open" | "no_key" if provider:
            act, label = "pause", f"Pause {provider} with fallback"
            parameters = {"subject": "provider", "name": provider, "fallback": "1"}
    return Why(group, WORDS.get(reason, ""), FIXES.get(reason, ""), act, label, parameters)


def _paused(lane: str) -> tuple[str, str]:
    """The subject and name of a pause, parsed from a lane such as `paused model a/b (fallback)`.
    Any other lane is a provider's name."""
    if not lane.startswith("paused "):
        return "provider", lane
    subject, _, name = lane.removeprefix("paused ").partition(" ")
    return subject, name.removesuffix(" (fallback)")


def _lanes(reasons: Sequence[Group]) -> list[tuple[str, int, bool]]:
    """The number of requests in each provider's lane, largest first."""
    counts: dict[str, tuple[int, bool]] = {}
    for it in reasons:
        if it.provider is not None:
            count, is_more = counts.get(it.provider, (0, False))
            counts[it.provider] = count + it.requests, is_more or it.is_more
    return sorted(((lane, *it) for lane, it in counts.items()), key=lambda it: -it[1])
