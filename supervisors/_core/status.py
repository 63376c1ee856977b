"""An actor's internals as shown to an operator or in a crash report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from supervisors._core.reasons import ExitReason


@dataclass(frozen=True, slots=True)
class Status:
    """What `format_status` gets and returns (OTP `format_status/1`)."""

    state: object
    """The actor's attributes by name; or whatever format_status puts in their place."""
    message: object = None
    """The message being handled; None if there is none."""
    reason: ExitReason | None = None
    """The exit reason, in a crash report; None if an operator asks."""
    client: str | None = None
    """In a crash report: the name of the actor whose call was being handled, if it was an actor."""

    def shapes(self) -> Status:
        """The same with types in place of values, which are safe to show."""
        state = self.state
        if isinstance(state, Mapping):
            state = {str(name): type(value).__name__ for name, value in state.items()}
        else:
            state = type(state).__name__
        message = None if self.message is None else type(self.message).__name__
        return replace(self, state=state, message=message)


def name_of_function(function: object) -> str:
    """A function's name, also in a functools.partial, whose arguments may be secrets."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) and name else type(function).__name__
