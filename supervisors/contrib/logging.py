"""Telemetry events as log records.

Once, before or after the tree is opened:

    from supervisors.contrib import logging as event_log

    event_log.attach()

A record of the logger "supervisors.events" is one event: `supervisors.child.restarted
supervisor='house' child='door' restarts=1 ...`. Its attribute `event` is the event itself, for
formatters that write JSON. The runtime itself logs crashes, with their tracebacks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType

from supervisors import telemetry
from supervisors.telemetry import Event

__all__ = ["LEVELS", "attach", "detach"]

HANDLER_ID = "supervisors.contrib.logging"

LEVELS: Mapping[type[Event], int] = MappingProxyType(
    {
        telemetry.ProcessStarted: logging.DEBUG,
        telemetry.ProcessExited: logging.DEBUG,
        telemetry.TaskExited: logging.DEBUG,
        telemetry.SupervisorStopping: logging.INFO,
        telemetry.ProcessUnkillable: logging.ERROR,
        telemetry.SupervisorGaveUp: logging.ERROR,
    }
)
"""The level of each kind of event; WARNING for those not listed."""


def attach(
    events: Iterable[type[Event]] = telemetry.EVENTS,
    *,
    logger: logging.Logger | None = None,
    levels: Mapping[type[Event], int] = LEVELS,
) -> None:
    """Log these kinds of events from now on.

    logger: None is "supervisors.events". levels: see LEVELS.
    Raises AlreadyAttached if it is attached, TypeError for anything but events.
    """
    target = logging.getLogger("supervisors.events") if logger is None else logger
    chosen = dict(levels)

    def log(event: Event) -> None:
        level = chosen.get(type(event), logging.WARNING)
        if target.isEnabledFor(level):
            target.log(level, "%s %s", event.name, _words(event), extra={"event": event})

    telemetry.attach(HANDLER_ID, tuple(events), log)


def detach() -> bool:
    """Log no more events. False if it was not attached."""
    return telemetry.detach(HANDLER_ID)


def _words(event: Event) -> str:
    names = [field.name for field in fields(event)]  # type: ignore[arg-type] # events are dataclasses
    return " ".join(f"{name}={getattr(event, name)!r}" for name in names)
