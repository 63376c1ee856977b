"""What is measured, in which unit, and what we want of it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Figures: TypeAlias = dict[str, float]
"""What one measurement of one contender yields: figure -> value in the figure's unit."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table. `better` says which of two values wins."""

    text: str
    unit: str
    better: Literal["high", "low"] = "high"


FIGURES = {
    "call": Figure("call, no timeout", "/s"),
    "call_timeout": Figure("call, 5 s timeout", "/s"),
    "call_100": Figure("call, 100 callers", "/s"),
    "cast_posted": Figure("cast, posted", "/s"),
    "cast_handled": Figure("cast, handled", "/s"),
    "restart": Figure("restart, p50", "µs", "low"),
    "unread_none": Figure("call with an empty mailbox", "µs", "low"),
    "unread": Figure("call with {unread:,} unread", "µs", "low"),
    "idle": Figure("an idle actor", "bytes", "low"),
    "start": Figure("start of {many:,}", "s", "low"),
    "stop": Figure("ordered stop of {many:,}", "s", "low"),
}
"""`cast_posted` ends when the last message is in the mailbox, `cast_handled` when it is handled."""

MEASURES = ("call", "call_timeout", "call_100", "cast", "restart", "unread")
"""Measured in every round, in one process of each contender."""

ONCE = ("idle", "many")
"""Measured once, each in a process that has done nothing before: memory remembers."""

TIMED = ("call", "call_timeout", "call_100", "cast")
"""Those of MEASURES whose count is chosen so that they take a while; others have a fixed count."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float
    """What one of TIMED takes, about."""
    restart: int
    unread: int
    idle: int
    many: int


FULL = Size(rounds=15, seconds=0.06, restart=300, unread=500_000, idle=20_000, many=100_000)
QUICK = Size(rounds=5, seconds=0.02, restart=100, unread=100_000, idle=5_000, many=100_000)
TINY = Size(rounds=1, seconds=0.001, restart=3, unread=1_000, idle=200, many=200)


@dataclass(frozen=True, slots=True)
class Goal:
    """What `figure` of ours should be: `bound` at least if high is better there, else at most.

    of: the contender (and its figure, if another) that ours is divided by; None: nobody.
    """

    figure: str
    bound: float
    of: str | None = None
    of_figure: str | None = None


GOALS = (
    Goal("call", 1.3, "channel"),
    Goal("call_timeout", 2.0, "channel"),
    Goal("cast_posted", 10.0, "channel"),
    Goal("cast_handled", 10.0, "channel"),
    Goal("call", 0.12, "erlang"),
    Goal("cast_posted", 0.4, "erlang"),
    Goal("cast_handled", 0.4, "erlang"),
    Goal("restart", 60.0),
    Goal("idle", 7_000.0),
    Goal("start", 10.0),
    Goal("unread", 1.1, "ours", "unread_none"),
)
"""A cast is compared posted with posted and handled with handled. The first of these two is out of
reach: `deque.append` with a parked reader is only four times as quick as `send_nowait`.

"Costs nothing" is a factor of 1.1 here, which is what the noise of the machine may do.
"""
