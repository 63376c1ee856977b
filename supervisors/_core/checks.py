"""Checks arguments from users, and reports everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from supervisors.errors import SpecError


def is_seconds(value: object) -> bool:
    """Whether the value is a duration: a number of at least 0, including math.inf."""
    # `value >= 0` also refuses NaN
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def is_whole(value: object) -> bool:
    """Whether the value is an integer of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_hashable(value: object) -> bool:
    """Whether the value may be a key."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


class InvalidSpecification(SpecError):
    """Several rules are broken. `broken` has the SpecError of each; the message names all."""

    what = "several things are wrong"

    def __init__(self, broken: Iterable[SpecError]) -> None:
        self.broken = tuple(broken)
        super().__init__("; ".join(str(error) for error in self.broken))


# Whether the rule holds; the error if not; the offending value.
Rule: TypeAlias = tuple[bool, Callable[[Any], SpecError], object]


def broken(rules: Iterable[Rule]) -> Iterator[SpecError]:
    """The errors of the rules that do not hold."""
    return (error(value) for holds, error, value in rules if not holds)


def reject(wrong: Iterable[SpecError]) -> None:
    """Raise the errors, if any: a single one as itself, several as an InvalidSpecification."""
    errors = tuple(wrong)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise InvalidSpecification(errors)
