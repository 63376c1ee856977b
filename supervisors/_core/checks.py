"""Whether what a user gives is right, and all that is wrong with it told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from supervisors.errors import SpecError


def is_seconds(value: object) -> bool:
    """Whether it is a length of time: a number of at least 0, math.inf included."""
    # `value >= 0` is also what refuses NaN
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def is_whole(value: object) -> bool:
    """Whether it is an integer of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_hashable(value: object) -> bool:
    """Whether it may be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


class InvalidSpecification(SpecError):
    """Several rules are broken; `broken` has the SpecError of each, the message names all."""

    what = "several things are wrong"

    def __init__(self, broken: Iterable[SpecError]) -> None:
        self.broken = tuple(broken)
        super().__init__("; ".join(str(error) for error in self.broken))


# Whether it holds; what to raise if not; what is wrong then.
Rule: TypeAlias = tuple[bool, Callable[[Any], SpecError], object]


def broken(rules: Iterable[Rule]) -> Iterator[SpecError]:
    """The error of each rule that does not hold."""
    return (error(value) for holds, error, value in rules if not holds)


def reject(wrong: Iterable[SpecError]) -> None:
    """Raise what is wrong: the error itself if it is one, else an InvalidSpecification of all."""
    errors = tuple(wrong)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise InvalidSpecification(errors)
