"""The health of the installation: findings, the worst first, each with the page that has more.
Thresholds are those of the shipped alerts (config/prometheus/alerts.yml), if there is one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from nexus_actors.contract.shown_text import printable
from nexus_actors.monitoring.ends import Ends
from nexus_actors.monitoring.overview import COUNTED, Node, Present

LATE: Final = 120.0
"""Seconds that a due request may wait."""
TOO_LATE: Final = 900.0
ERROR_SHARE: Final = 0.1
FEW: Final = 20
"""Too few requests for their error rate to mean anything."""
FEW_OF_A_MINUTE: Final = 5
"""The same if all of them failed."""
LOST_OF_LATE: Final = 1800.0
"""Seconds after which a lost node is probably gone for good."""
NOT_DONE: Final = 3600.0
"""Seconds within which each chore should be done."""
_CHORES: Final = {"prune": "has pruned old rows", "sum": "has summed finished requests"}

Level = Literal["bad", "care"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    level: Level
    text: str
    """A sentence, with foreign text made printable."""
    where: str
    """The page with details."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health in one line, and all findings."""

    level: Literal["bad", "care", "well"]
    line: str
    findings: list[Finding]


def verdict(present: Present, ends: Ends) -> Verdict:
    """Judge the installation."""
    findings = [
        *_of_nothing_taken(present),
        *_of_nodes(present.nodes),
        *_of_queues(present),
        *_of_providers(present),
        *_of_ends(ends),
        *_of_chores(present),
        *_of_controls(present),
    ]
    findings.sort(key=lambda it: it.level != "bad")
    if not findings:
        running = sum(it.is_there for it in present.nodes)
        nodes = "1 node is running" if running == 1 else f"{running} nodes are running"
        return Verdict("well", f"All is well: {nodes}, nothing is overdue.", [])
    first, more = findings[0], len(findings) - 1
    rest = "" if not more else f" And {more} more below."
    return Verdict(first.level, f"{first.text}{rest}", findings)


def _of_nothing_taken(present: Present) -> Iterator[Finding]:
    """An operator keeps all requests from being begun."""
    for control in present.controls:
        if (control.action, control.subject, control.node) == ("pause", "queue", "*"):
            by = printable(control.by, 60)
            text = f"No request is leased: {by} has paused the queue."
            yield Finding("bad", text, "/control")
    running = [it for it in present.nodes if it.is_there]
    drains = [present.drain_of(it) for it in running]
    by_whom = sorted({printable(it.by, 60) for it in drains if it is not None})
    if drains and None not in drains:
        text = f"No request is leased: every running node is drained, by {', '.join(by_whom)}."
        yield Finding("bad", text, "/control")


def _of_nodes(nodes: list[Node]) -> Iterator[Finding]:
    where = "/tree"
    if not any(it.is_there for it in nodes):
        yield Finding("bad", "No node is running: requests are not processed.", where)
    for node in nodes:
        name = printable(node.name, 60)
        match node.state:
            case "lost":
                of_late = node.beat_age < LOST_OF_LATE
                ago = f"{node.beat_age / 60:.0f} min" if node.beat_age >= 60 else "a moment"
                text = f"The node {name} is lost: its last heartbeat was {ago} ago."
                yield Finding("bad" if of_late else "care", text, where)
            case "degraded":
                why = printable(node.why or "it gives no reason", 200)
                yield Finding("care", f"The node {name} is degraded: {why}.", where)
            case "starting":
                yield Finding("care", f"The node {name} is starting.", where)
            case _:
                pass


def _of_queues(present: Present) -> Iterator[Finding]:
    queue = present.queues.get("requests")
    is_paused = any(it.action == "pause" and it.subject == "queue" for it in present.controls)
    if queue is None or is_paused or queue.due_seconds is None or queue.due_seconds < LATE:
        return
    minutes = f"{queue.due_seconds / 60:.0f} min"
    level: Level = "bad" if queue.due_seconds > TOO_LATE else "care"
    yield Finding(level, f"A request has been due for {minutes} and is not leased.", "/slow")


def _of_providers(present: Present) -> Iterator[Finding]:
    for provider in present.providers:
        name = printable(provider.name, 60)
        if provider.circuit:
            models = ", ".join(printable(it, 60) for it in list(provider.circuits)[:3])
            state = provider.circuit.replace("_", " ")
            yield Finding("care", f"The circuit of {name} is {state}: {models}.", "/slow")
        elif provider.circuits:
            yield Finding("care", f"{name} throttles us (429).", "/slow")
        if provider.keys:
            keys = ", ".join(printable(it, 60) for it in list(provider.keys)[:3])
            yield Finding("care", f"A key of {name} is suspended or throttled: {keys}.", "/slow")


def _of_ends(ends: Ends) -> Iterator[Finding]:
    """The hour; and if that is well its newest minute, since success hides what has just begun."""
    if _is_failing(ends.requests, ends.failed, FEW):
        share, when = ends.failed / ends.requests, "last hour"
    elif _is_failing(
        ends.newest_requests,
        ends.newest_failed,
        FEW_OF_A_MINUTE if ends.newest_failed == ends.newest_requests else FEW,
    ):
        share, when = ends.newest_failed / ends.newest_requests, "newest full minute"
    else:
        return
    text = f"{share:.0%} of the requests finished in the {when} failed."
    yield Finding("bad", text, "/requests?state=failed")


def _is_failing(requests: int, failed: int, few: int) -> bool:
    return requests >= few and failed / requests > ERROR_SHARE


def _of_chores(present: Present) -> Iterator[Finding]:
    if not any(it.is_there for it in present.nodes):
        return
    for chore, idle in present.idle.items():
        if idle > NOT_DONE and chore in _CHORES:
            text = f"For {idle / 3600:.0f} h no node {_CHORES[chore]}."
            yield Finding("care", text, "/database")


def _of_controls(present: Present) -> Iterator[Finding]:
    names = {it.node: it.label for it in present.nodes}
    for control in present.controls:
        what = f"{control.subject} {printable(control.name, 60)}".rstrip()
        by = f"by {printable(control.by, 60)}"
        if control.action == "pause":
            yield Finding("care", f"Paused {by}: the {what}.", "/control")
        elif control.action == "drain":
            node = printable(names.get(control.node, control.node), 100)
            yield Finding("care", f"Drained {by}: the node {node}.", "/control")
    if present.queues.get("dead") is not None and present.queues["dead"].total > COUNTED:
        yield Finding("care", f"More than {COUNTED:,} dead letters wait.", "/letters")
