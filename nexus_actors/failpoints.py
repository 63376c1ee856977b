"""Points at which a test can make the process die: `NEXUS_FAILPOINT=after_receive:kill`.

`NAME:kill` ends the process with SIGKILL when it reaches the point, `NAME:stop` freezes it with
SIGSTOP; `NAME:kill:3` acts the third time. If the variable is not set, a point costs one
comparison.
"""

import os
import signal
from collections.abc import Mapping
from typing import Final, Literal, get_args

Failpoint = Literal[
    "after_lease",
    "after_route",
    "before_call",
    "after_receive",
    "before_finish",
    "after_finish",
    "before_give_back",
    "after_give_back",
    "before_store",
    "after_store",
]
NAMES: Final = get_args(Failpoint)
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class FailpointError(ValueError):
    """The variable names no failpoint; the message is one line."""


class _Armed:
    """The failpoint that the variable names."""

    def __init__(self, text: str) -> None:
        name, _, rest = text.partition(":")
        how, _, times = rest.partition(":")
        if name not in NAMES or how not in _SIGNALS or not (times or "1").isdigit():
            expected = f"NAME:kill or NAME:stop, NAME one of {', '.join(NAMES)}"
            raise FailpointError(f"NEXUS_FAILPOINT: found {text!r}, expected {expected}")
        self.name = name
        self._signal = _SIGNALS[how]
        self._left = int(times or 1)

    def hit(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._signal)


class _State:
    """What is armed in this process."""

    armed: _Armed | None = None


_here: Final = _State()


def arm(environ: Mapping[str, str]) -> None:
    """Heed the variable, as a service does when it starts. Raises FailpointError."""
    text = environ.get("NEXUS_FAILPOINT", "")
    _here.armed = _Armed(text) if text else None


def reached(name: Failpoint) -> None:
    """Mark this place in the code as the failpoint `name`."""
    if (armed := _here.armed) is not None and armed.name == name:
        armed.hit()
