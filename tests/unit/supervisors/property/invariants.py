"""What must hold when nothing is going on any more, and what must have held when all is over."""

from __future__ import annotations

from collections.abc import Iterator

from supervisors import ChildCounts, ChildInfo, Killed, NoProc, Normal, Shutdown
from tests.unit.supervisors.property.generators import SupervisorPlan, WorkerPlan
from tests.unit.supervisors.property.observer import Observer, Record, Slot, short

# --- in between: nothing has been asked for a long time, and the tree lives ---


def wrong_now(observer: Observer) -> Iterator[str]:
    """Of those that live: Downs and exit signals that did not come, names that do not resolve."""
    for record in observer.live:
        if not record.hangs:  # one in init does not read its mailbox
            yield from _wrong_watches(record)
            yield from _wrong_exits(record)
        key = getattr(record.plan, "key", None)
        if key is not None:
            registry, name = observer.name_of(key, record.path)
            held = registry.whereis(name)
            if registry is observer.names and (
                held != record.ref or not registry.via(name).is_alive
            ):
                yield f"the name {name} should be that of {record}, but is that of {held}"


def _wrong_watches(record: Record) -> Iterator[str]:
    for watch in record.watches.values():
        target = watch.target
        dead = watch.late or target.died_at is not None
        if watch.downs != dead and not watch.dropped:
            yield f"{record} monitors {target} ({short(target.reason)}), got {watch.downs} Downs"
        told, true = watch.reason, NoProc() if watch.late else target.reason
        if told is not None and told != true:
            yield f"{record} was told that {target} ended with {told}, not {true}"


def _wrong_exits(record: Record) -> Iterator[str]:
    if not isinstance(record.plan, WorkerPlan):
        return
    if record.plan.trap:
        for other in record.exits.keys() | record.due_exits.keys():
            if record.exits[other] != record.due_exits[other]:
                yield (
                    f"{record} should have got {record.due_exits[other]} exit signals of {other},"
                    f" but got {record.exits[other]}"
                )
        if record.tasks_ended != record.tasks_heard:
            yield f"{record} was told of {record.tasks_heard} tasks: {record.tasks_ended}"
        return
    if record.tasks_ended[True]:
        yield f"{record} lives, though a task linked to it failed"
    if record.linked_to_dead:
        yield f"{record} lives, though it was linked to one that was dead"
    for other in record.due_exits:
        if not isinstance(other.reason, Normal):
            yield f"{record} lives, though {other}, linked to it, ended: {short(other.reason)}"


def wrong_table(
    boss: Record, observer: Observer, infos: list[ChildInfo], counts: ChildCounts
) -> Iterator[str]:
    """What which_children and count_children of a supervisor get wrong, and whom it forgot."""
    ours = {record.ref for record in observer.live if record.owner is boss}
    theirs = [info.ref for info in infos if info.ref is not None]
    if ours != set(theirs) or len(ours) != len(theirs):
        yield f"which_children of {boss} says {theirs}, but these live: {ours}"
    supervisors = sum(info.type == "supervisor" for info in infos)
    expected = ChildCounts(len(infos), len(theirs), supervisors, len(infos) - supervisors)
    if counts != expected:
        yield f"count_children of {boss} says {counts}, which_children {expected}"
    for info in infos:
        if info.restarting:
            yield f"{boss} still restarts {info.id}"
        if info.ref is None:
            slot = [slot for slot in boss.slots if slot.id == info.id and slot.calls][-1]
            if not _may_be_down(boss, slot):
                yield f"{boss} has left {info.id} without a process"


def _may_be_down(boss: Record, slot: Slot) -> bool:
    """Whether a child that is still in the table may have no process."""
    assert isinstance(boss.plan, SupervisorPlan)
    if boss.plan.dynamic or slot.plan.restart == "temporary":
        return False
    if slot.asked or slot.fates[-1] in ("ignore", "no actor"):
        return True
    if boss.plan.strategy != "one_for_one" and any(other.asked for other in boss.slots):
        return (
            True  # the one whose restart failed was terminated: nothing starts the rest, as in OTP
        )
    ended = slot.records[-1].reason if slot.records else None
    return slot.plan.restart == "transient" and isinstance(ended, Normal | Shutdown)


# --- at the end: everything is over ---


def was_wrong(observer: Observer) -> Iterator[str]:
    """What went wrong with the order of stops and with the number of restarts."""
    for record in observer.records:
        if record.owner is None and not record.signalled and not _in_order(record):
            yield f"nobody killed the root, but it ended with {record.reason}"
        if record.killed and record.reason != Killed():
            yield f"{record} was killed, but ended with {record.reason}"
        if isinstance(record.plan, WorkerPlan):
            yield from _wrong_order(record)
        elif isinstance(record.plan, SupervisorPlan):
            yield from _too_many_restarts(record)
            yield from _started_though_terminated(record)


def _wrong_order(record: Record) -> Iterator[str]:
    """One that its supervisor stops must be the last of those that are left."""
    owner = record.owner
    if owner is None or record.slot.asked["terminate"] or not record.up:
        return
    assert isinstance(owner.plan, SupervisorPlan)
    if owner.plan.dynamic or owner.reason == Killed():
        return
    later = record.later_at_stop
    if later is None and _was_stopped_at_once(record):
        later = record.later_at_death
    if later:
        yield f"{owner} stopped {record} before {later}"


def _in_order(root: Record) -> bool:
    return not root.up or isinstance(root.reason, Shutdown)


def _started_though_terminated(boss: Record) -> Iterator[str]:
    """A child that was terminated, and that nobody asked to be restarted. (In a group it may be
    started with the others, as in OTP.)
    """
    assert isinstance(boss.plan, SupervisorPlan)
    if boss.plan.strategy not in ("one_for_one", "dynamic"):
        return
    for slot in boss.slots:
        down = slot.calls_when_down
        if down is not None and not slot.asked["restart"] and len(slot.calls) > down:
            yield f"{boss} started {slot.id} after it had been terminated"


def _was_stopped_at_once(record: Record) -> bool:
    """Whether it was its supervisor, and nobody else, that ended it without asking it."""
    plan = record.plan
    assert isinstance(plan, WorkerPlan)
    if record.signalled or record.linked:
        return False
    if plan.shutdown == "brutal_kill":
        return record.reason == Killed()
    return not plan.trap and record.reason == Shutdown()


def _too_many_restarts(boss: Record) -> Iterator[str]:
    """Of one whose restarts are all seen at once; in a group some starts wait for some stops."""
    plan = boss.plan
    assert isinstance(plan, SupervisorPlan)
    if plan.strategy not in ("one_for_one", "dynamic"):
        return
    slots = [slot for slot in boss.slots if not slot.asked["restart"]]
    times = sorted(time for slot in slots for time in slot.calls[1:])
    for first, last in zip(times, times[plan.max_restarts :], strict=False):
        if last - first <= plan.max_seconds - 1e-6:
            yield (
                f"{boss} made more than {plan.max_restarts} restarts within {plan.max_seconds} s:"
                f" from {first} to {last}"
            )


def gave_up_too_early(observer: Observer) -> Iterator[str]:
    """Of supervisors that nobody asked to end, and whose own supervisor lives on: each must have
    lost more children, or failed to start them more often, than it may make restarts.
    """
    for boss in observer.records:
        plan, owner = boss.plan, boss.owner
        if not isinstance(plan, SupervisorPlan) or boss.reason != Shutdown():
            continue
        if boss.signalled or boss.slot.asked or plan.auto_shutdown != "never":
            continue
        if owner is not None:
            assert isinstance(owner.plan, SupervisorPlan)
            alone = owner.plan.strategy in ("one_for_one", "dynamic")
            if not owner.alive or not alone:
                continue
        causes = sum(map(_causes, boss.slots))
        if causes <= plan.max_restarts:
            yield f"{boss} gave up after {causes} ends, with {plan.max_restarts} restarts allowed"


def _causes(slot: Slot) -> int:
    """How often at most this child was to be restarted: starts that failed, and ends that its
    supervisor did not bring about.
    """
    if slot.plan.restart == "temporary":
        return 0
    up = [record for record in slot.records if record.up]
    return len(slot.calls) - len(up) + sum(not _was_stopped(record) for record in up)


def _was_stopped(record: Record) -> bool:
    if not isinstance(record.plan, WorkerPlan):
        return False
    return record.later_at_stop is not None or _was_stopped_at_once(record)
