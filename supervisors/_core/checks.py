"""Whether a number given by a user is one."""

from __future__ import annotations


def is_seconds(value: object) -> bool:
    """Whether it is a length of time: a number of at least 0, math.inf included."""
    # `value >= 0` is also what refuses NaN
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def is_whole(value: object) -> bool:
    """Whether it is an integer of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
