"""What supervisors log: OTP's four facts, and the exception. Never a state, never a message."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

from supervisors.errors import describe
from supervisors.reasons import ExitReason, cause_of
from supervisors.telemetry import ChildStartFailed, error_of, execute, kind_of

logger = logging.getLogger("supervisors")

Context: TypeAlias = Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]


def report(
    supervisor: str,
    context: Context,
    reason: ExitReason | str,
    offender: str,
    pid: int | None = None,
) -> None:
    """Log, as an error, what went wrong under `supervisor`.

    context: "start_error" a restart failed; "child_terminated" a child ended abnormally;
    "shutdown_error" it did so while being stopped; "shutdown" the supervisor gives up.
    """
    text = reason if isinstance(reason, str) else describe(reason)
    error = None if isinstance(reason, str) else cause_of(reason)
    logger.error(
        "%s: %s, child %s: %s",
        supervisor,
        context,
        offender,
        text,
        exc_info=error,
        extra={
            "supervisor": supervisor,
            "context": context,
            "reason": text,
            "offender": offender,
            "offender_pid": pid,
        },
    )
    if ChildStartFailed.handlers and context == "start_error" and not isinstance(reason, str):
        execute(ChildStartFailed(supervisor, offender, kind_of(reason), error_of(reason)))
