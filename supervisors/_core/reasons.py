"""Why a process ended: frozen values, to be matched.

| OTP               | here               |
|-------------------|--------------------|
| `normal`          | `Normal()`         |
| `shutdown`        | `Shutdown()`       |
| `{shutdown, X}`   | `Shutdown(X)`      |
| `killed`          | `Killed()`         |
| `noproc`          | `NoProc()`         |
| anything else     | `Crashed(error)`   |

A cancellation, `KeyboardInterrupt` and `SystemExit` are no reasons: they are trio's and the user's,
and pass through (see strays).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from supervisors._core.copying import Whole


@dataclass(frozen=True, slots=True)
class Normal:
    """It was done."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """It was asked to stop, or gave up in an orderly way; `detail` says more, if there is more to
    say.
    """

    detail: object = None


@dataclass(frozen=True, slots=True)
class Killed:
    """It was killed: no cleanup of its own has run."""


@dataclass(frozen=True, slots=True)
class NoProc:
    """There was no such process when it was asked about."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """An exception nobody expected ended it."""

    exception: BaseException


ExitReason: TypeAlias = Normal | Shutdown | Killed | NoProc | Crashed

ReasonKind: TypeAlias = Literal["normal", "shutdown", "killed", "noproc", "crashed"]


class ExitWith(Whole):
    """Raised anywhere in a callback or a linked task: end with `reason` (Erlang's `exit(Reason)`).

    As if the callback had returned Stop(reason). In init the start fails with it. Out of a nursery
    it comes in an ExceptionGroup, and that is a crash: catch it there and raise it again outside.
    """

    def __init__(self, reason: ExitReason) -> None:
        check_reason(reason)
        self.reason = reason
        super().__init__(type(reason).__name__)


def reason_of(error: BaseException) -> ExitReason:
    """Why a process ends that this exception has left."""
    return error.reason if isinstance(error, ExitWith) else Crashed(error)


def check_reason(reason: object) -> None:
    """TypeError for what is no ExitReason: a string would otherwise end, or not end, a process."""
    if not isinstance(reason, ExitReason):
        raise TypeError(f"an exit reason is expected, not a {type(reason).__name__}")


def is_abnormal(reason: ExitReason) -> bool:
    """Whether a transient child that ended so is restarted: neither `Normal` nor `Shutdown`."""
    return not isinstance(reason, Normal | Shutdown)


def cause_of(reason: ExitReason) -> BaseException | None:
    """The exception a reason carries, for `raise ... from` and for logging; or None."""
    match reason:
        case Crashed(exception):
            return exception
        case Shutdown(BaseException() as detail):
            return detail
        case _:
            return None


def kind_of(reason: ExitReason) -> ReasonKind:
    """A reason in a word."""
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
