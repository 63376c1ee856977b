"""What supervisors log: OTP's four facts, the exception, and what format_status shows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, TypeAlias

from supervisors._core.reasons import ExitReason, cause_of
from supervisors.errors import describe
from supervisors.telemetry import ChildStartFailed, error_of, execute, kind_of

if TYPE_CHECKING:
    from supervisors._core.process import Process

logger = logging.getLogger("supervisors")

Context: TypeAlias = Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]


def report(
    supervisor: str,
    context: Context,
    reason: ExitReason | str,
    offender: str,
    process: Process | None = None,
) -> None:
    """Log, as an error, what went wrong under `supervisor`; one record for one crash.

    context: "start_error" a restart failed; "child_terminated" a child ended that should not have;
    "shutdown_error" it did so while being stopped; "shutdown" the supervisor gives up. The record's
    attributes are supervisor, context, reason, offender, offender_pid, and, of a GenServer whose
    callback crashed, last_message and state, both through its `format_status`.
    """
    text = reason if isinstance(reason, str) else describe(reason)
    error = None if isinstance(reason, str) else cause_of(reason)
    status = None if process is None else process.crash_status
    shown = "" if status is None else f" (last message {status.message}, state {status.state})"
    logger.error(
        "%s: %s, child %s: %s%s",
        supervisor,
        context,
        offender,
        text,
        shown,
        exc_info=error,
        extra={
            "supervisor": supervisor,
            "context": context,
            "reason": text,
            "offender": offender,
            "offender_pid": None if process is None else process.pid,
            "last_message": None if status is None else status.message,
            "state": None if status is None else status.state,
        },
    )
    if ChildStartFailed.handlers and context == "start_error" and not isinstance(reason, str):
        execute(ChildStartFailed(supervisor, offender, kind_of(reason), error_of(reason)))
