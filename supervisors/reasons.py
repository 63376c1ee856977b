"""Why a process ended: frozen values, to be matched.

| OTP               | here               |
|-------------------|--------------------|
| `normal`          | `Normal()`         |
| `shutdown`        | `Shutdown()`       |
| `{shutdown, X}`   | `Shutdown(X)`      |
| `killed`          | `Killed()`         |
| `noproc`          | `NoProc()`         |
| anything else     | `Crashed(error)`   |

Cancellation and `KeyboardInterrupt` are no reasons: they are trio's and the user's, and pass
through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


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
