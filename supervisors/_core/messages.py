"""What actors send each other and what callbacks return: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from supervisors._core.reasons import ExitReason, check_reason

R_co = TypeVar("R_co", covariant=True)


class _Unset:
    """The absence of a value where None is a value."""

    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"  # the only instance, also when it is copied


UNSET: Final = _Unset()


class Call(Generic[R_co]):
    """Base of every request: it carries the type of its reply.

    `class Depth(Call[int])` makes `await ref.call(Depth())` an int to the type checker.
    """

    __slots__ = ()


# --- what callbacks return ---


# Not frozen like the others, but final for type checkers: freezing costs 0.3 us per call.
@dataclass(slots=True)
class Reply:
    """Answer the caller with `value` (`{:reply, value, state}`).

    `timeout`: if no message comes for this many seconds, handle_info gets a `Timeout()`.
    `continue_with`: handle_continue is called with it before any other message.
    """

    value: Final[object]
    timeout: Final[float | None] = None
    continue_with: Final[object] = UNSET


@dataclass(frozen=True, slots=True)
class NoReply:
    """Carry on (`{:noreply, state}`); after handle_call, the answer comes later through
    `caller.reply`.
    """

    timeout: float | None = None
    continue_with: object = UNSET


@dataclass(frozen=True, slots=True)
class Stop:
    """End with `reason`, after terminate; then a caller gets `reply`, if there is one."""

    reason: ExitReason
    reply: object = UNSET

    def __post_init__(self) -> None:
        check_reason(self.reason)


@dataclass(frozen=True, slots=True)
class Continue:
    """Call handle_continue with `argument` before any other message."""

    argument: object = None


@dataclass(frozen=True, slots=True)
class Ignore:
    """From init (or a start function): do not start, and do not call that an error."""


InitResult: TypeAlias = Continue | NoReply | Ignore | Stop | None
CallResult: TypeAlias = Reply | NoReply | Stop
HandleResult: TypeAlias = NoReply | Continue | Stop | None
