"""The metrics that telemetry events become: one table for Prometheus and OpenTelemetry.

Labels are classes, types of messages and reasons, whose number is limited by the program's code,
and names: of supervisors, of linked tasks, and ids of specs. Programs may create any number of
names, such as a supervisor per session, so it is limited: see `Labels`. Pids are never labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from supervisors import telemetry
from supervisors.telemetry import Event


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric: a counter of events, or a distribution of durations."""

    event: type[Event]
    name: str
    """The name without prefix and unit."""
    description: str
    labels: tuple[str, ...]
    """Attributes of the event that become labels."""
    seconds: str | None = None
    """The attribute that is measured; None if events are counted."""


NAMES = frozenset({"supervisor", "child", "task"})
"""Labels that contain names."""
MOST_NAMES = 200
"""How many combinations of names one metric distinguishes until it is detached."""
OTHER = "other"
"""Replaces all names beyond MOST_NAMES."""


class Labels:
    """The labels of one metric's events, with a bounded number of names."""

    def __init__(self, measure: Measure) -> None:
        self._labels = measure.labels
        self._names = tuple(label for label in measure.labels if label in NAMES)
        self._kept: set[tuple[str, ...]] = set()

    def of(self, event: Event) -> dict[str, str]:
        """The labels of one event. Its names are OTHER if MOST_NAMES others came before."""
        found = {label: str(getattr(event, label)) for label in self._labels}
        names = tuple(found[label] for label in self._names)
        if names not in self._kept:
            if len(self._kept) >= MOST_NAMES:
                return found | dict.fromkeys(self._names, OTHER)
            self._kept.add(names)
        return found


MEASURES = (
    Measure(
        telemetry.ProcessStarted,
        "process_init",
        "How long the init of a process took.",
        ("class_name",),
        "init_seconds",
    ),
    Measure(
        telemetry.ProcessExited,
        "process_exits",
        "Processes that ended.",
        ("class_name", "reason"),
    ),
    Measure(
        telemetry.ProcessUnkillable,
        "unkillable_processes",
        "Processes that did not end when killed, and were given up.",
        ("class_name",),
    ),
    Measure(telemetry.TaskExited, "task_exits", "Linked tasks that ended.", ("task", "reason")),
    Measure(
        telemetry.ChildRestarted,
        "child_restarts",
        "Restarts of children.",
        ("supervisor", "child"),
    ),
    Measure(
        telemetry.ChildStartFailed,
        "child_start_failures",
        "Starts and restarts of children that failed.",
        ("supervisor", "child", "reason"),
    ),
    Measure(
        telemetry.ShutdownTimedOut,
        "shutdown_timeouts",
        "Processes killed because they did not stop in time.",
        ("class_name",),
    ),
    Measure(
        telemetry.SupervisorStopping,
        "supervisor_stops",
        "Supervisors that began to stop.",
        ("supervisor", "reason"),
    ),
    Measure(
        telemetry.SupervisorGaveUp,
        "supervisor_give_ups",
        "Supervisors that stopped because of too many restarts.",
        ("supervisor", "child"),
    ),
    Measure(
        telemetry.CallTimedOut,
        "call_timeouts",
        "Calls that got no answer in time.",
        ("request",),
    ),
    Measure(
        telemetry.MessageDropped,
        "dropped_messages",
        "Messages lost to a full mailbox.",
        ("policy", "message"),
    ),
    Measure(
        telemetry.LoopBlocked,
        "loop_blocked",
        "How long no actor could run.",
        ("cause",),
        "seconds",
    ),
)
"""One measure for each event of the runtime."""
