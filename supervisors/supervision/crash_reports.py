"""The crash reports of supervisors: OTP's facts, the exception, and what format_status shows."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

from supervisors._core.process import Process
from supervisors._core.reasons import ExitReason, cause_of
from supervisors._core.status import name_of_function
from supervisors.errors import describe
from supervisors.supervision.child_spec import ChildSpec
from supervisors.telemetry import ChildStartFailed, error_of, execute, kind_of

logger = logging.getLogger("supervisors")

Context: TypeAlias = Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]


def report(
    supervisor: str,
    context: Context,
    reason: ExitReason | str,
    spec: ChildSpec,
    process: Process | None = None,
) -> None:
    """Log an error of a child of `supervisor`. Each crash is logged once.

    context: "start_error" a restart failed; "child_terminated" a child ended unexpectedly;
    "shutdown_error" it did so while being stopped; "shutdown" the supervisor gives up. The record's
    attributes are supervisor, context, reason, offender, and offender_…: pid, start (the function's
    name), restart, shutdown, significant, type, as in its ChildSpec. If an actor's callback
    crashed, also last_message and state, both after its `format_status`, and client, the caller.
    """
    text = reason if isinstance(reason, str) else describe(reason)
    error = None if isinstance(reason, str) else cause_of(reason)
    status = None if process is None else process.crash_status
    child: dict[str, object] = {
        "start": name_of_function(spec.start),
        "restart": spec.restart,
        "shutdown": spec.grace,
        "significant": spec.significant,
        "type": spec.type,
    }
    crash: dict[str, object] = {
        "last_message": None if status is None else status.message,
        "state": None if status is None else status.state,
        "client": None if status is None else status.client,
    }
    logger.error(
        "%s: %s, child %s: %s (%s)",
        supervisor,
        context,
        spec.id,
        text,
        _listed(child if status is None else {**crash, **child}),
        exc_info=error,
        extra={
            "supervisor": supervisor,
            "context": context,
            "reason": text,
            "offender": spec.id,
            "offender_pid": None if process is None else process.pid,
            **{f"offender_{name}": value for name, value in child.items()},
            **crash,
        },
    )
    if ChildStartFailed.handlers and context == "start_error" and not isinstance(reason, str):
        execute(ChildStartFailed(supervisor, spec.id, kind_of(reason), error_of(reason)))


def _listed(facts: dict[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
