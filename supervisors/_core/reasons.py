"""Exit reasons of processes: frozen values, for pattern matching.

| OTP               | here               |
|-------------------|--------------------|
| `normal`          | `Normal()`         |
| `shutdown`        | `Shutdown()`       |
| `{shutdown, X}`   | `Shutdown(X)`      |
| `killed`          | `Killed()`         |
| `noproc`          | `NoProc()`         |
| anything else     | `Crashed(error)`   |

A cancellation, `KeyboardInterrupt` and `SystemExit` are not reasons: they belong to trio and the
user, and pass through (see strays).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from supervisors._core.copying import Whole


@dataclass(frozen=True, slots=True)
class Normal:
    """It was finished."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """It was asked to stop, or gave up in an orderly way. `detail` may say more."""

    detail: object = None


@dataclass(frozen=True, slots=True)
class Killed:
    """It was killed, without running its own cleanup."""


@dataclass(frozen=True, slots=True)
class NoProc:
    """There was no such process at the time of the request."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """An unexpected exception ended it."""

    exception: BaseException


ExitReason: TypeAlias = Normal | Shutdown | Killed | NoProc | Crashed

ReasonKind: TypeAlias = Literal["normal", "shutdown", "killed", "noproc", "crashed"]


class ExitWith(Whole):
    """Raised anywhere in a callback or a linked task: end with `reason` (Erlang's `exit(Reason)`).

    The same as if the callback had returned Stop(reason). In init, the start fails with it. A
    nursery wraps it in an ExceptionGroup, which is a crash: catch it there, and raise it outside.
    """

    def __init__(self, reason: ExitReason) -> None:
        check_reason(reason)
        self.reason = reason
        super().__init__(type(reason).__name__)


def reason_of(error: BaseException) -> ExitReason:
    """The exit reason of a process that has raised this exception."""
    return error.reason if isinstance(error, ExitWith) else Crashed(error)


def check_reason(reason: object) -> None:
    """Raise TypeError if this is not an ExitReason: a string would have unpredictable effects."""
    if not isinstance(reason, ExitReason):
        raise TypeError(f"an exit reason is expected, not a {type(reason).__name__}")


def is_abnormal(reason: ExitReason) -> bool:
    """Whether a transient child with this reason is restarted: neither `Normal` nor `Shutdown`."""
    return not isinstance(reason, Normal | Shutdown)


def cause_of(reason: ExitReason) -> BaseException | None:
    """The exception in a reason, for `raise ... from` and for logging; or None."""
    match reason:
        case Crashed(exception):
            return exception
        case Shutdown(BaseException() as detail):
            return detail
        case _:
            return None


def kind_of(reason: ExitReason) -> ReasonKind:
    """A reason in one word."""
    match reason:
        case Normal():
            return "normal"
        case Shutdown():
            return "shutdown"
        case Killed():
            return "killed"
        case NoProc():
            return "noproc"
        case Crashed():
            return "crashed"
