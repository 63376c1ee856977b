"""What is wrong with a part of a request."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""A path, such as `("messages", 2, "role")`."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A fault: its path, and what was expected there."""

    path: Path
    expected: str
    found: Any = None
    """The value. Only its type may be reported."""
    count: int | None = None
    """How many were found, if there are too many."""
