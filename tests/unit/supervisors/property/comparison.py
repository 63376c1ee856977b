"""Whether what was seen in a run is what the model says."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from supervisors import ChildCounts, ChildInfo
from tests.unit.supervisors.property.generators import SupervisorPlan
from tests.unit.supervisors.property.model import ANY, Event, Model, Process
from tests.unit.supervisors.property.observer import Observer, short


def events_disagree(model: Model, observer: Observer) -> str | None:
    """What is wrong with the births and ends, supervisor by supervisor; None if nothing is.

    Of one supervisor's children the order counts, except for ends at one moment by a kill of the
    supervisor, and for a DynamicSupervisor's children.
    """
    expected, seen = _by_owner(model.events), _by_owner(_seen(observer))
    for owner in dict.fromkeys([*expected, *seen]):
        killed_at = _killed_at(owner, model.events)
        ours = _in_order(expected[owner], killed_at, everything=owner in model.dynamic)
        theirs = _in_order(seen[owner], killed_at, everything=owner in model.dynamic)
        if len(ours) != len(theirs) or not all(map(_same, ours, theirs)):
            return "\n".join(
                [
                    f"the children of {owner or 'nobody'} should have",
                    *(f"    {_text(event)}" for event in ours),
                    "but have",
                    *(f"    {_text(event)}" for event in theirs),
                ]
            )
    return None


def _seen(observer: Observer) -> Iterable[Event]:
    for record, what in observer.events:
        owner = "" if record.owner is None else record.owner.label
        time, reason = record.born_at, None
        if what == "end":
            time, reason = record.died_at, short(record.reason)
        assert time is not None
        yield Event(owner, time, record.label, reason)


def _by_owner(events: Iterable[Event]) -> defaultdict[str, list[Event]]:
    sorted_out: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        sorted_out[event.owner].append(event)
    return sorted_out


def _killed_at(owner: str, events: list[Event]) -> float:
    ends = (e.time for e in events if e.label == owner and e.reason == "killed")
    return next(ends, math.inf)


def _in_order(events: list[Event], killed_at: float, *, everything: bool) -> list[Event]:
    def key(event: Event) -> tuple[float, str, str]:
        return round(event.time, 6), event.label, event.reason or ""

    if everything:
        return sorted(events, key=key)
    last = [event for event in events if event.time > killed_at - 1e-6 and event.reason]
    return [event for event in events if event not in last] + sorted(last, key=key)


def _same(ours: Event, theirs: Event) -> bool:
    if (ours.label, ours.reason is None) != (theirs.label, theirs.reason is None):
        return False
    same_reason = ours.reason == theirs.reason
    if ours.reason == ANY:
        same_reason = theirs.reason in ("shutdown", "killed")
    return same_reason and math.isclose(ours.time, theirs.time, abs_tol=1e-6)


def _text(event: Event) -> str:
    return f"{event.time:10.4f}  {event.label} {'born' if event.reason is None else event.reason}"


def table_disagrees(
    process: Process, observer: Observer, infos: list[ChildInfo], counts: ChildCounts
) -> str | None:
    """What is wrong with which_children and count_children of a supervisor; None if nothing is."""
    labels = {record.ref: record.label for record in observer.live}
    ours = [(row.plan.id, row.process and row.process.label, False) for row in process.rows]
    theirs = [(i.id, i.ref and labels.get(i.ref, "the dead"), i.restarting) for i in infos]
    theirs.reverse()
    if process.boss.dynamic:
        ours.sort(key=str)
        theirs.sort(key=str)
    if ours != theirs:
        return f"which_children of {process.label} should be\n    {ours}\nbut is\n    {theirs}"
    supervisors = sum(isinstance(row.plan, SupervisorPlan) for row in process.rows)
    active = sum(row.process is not None for row in process.rows)
    expected = ChildCounts(len(ours), active, supervisors, len(ours) - supervisors)
    if counts != expected:
        return f"count_children of {process.label} should be {expected}, but is {counts}"
    return None
