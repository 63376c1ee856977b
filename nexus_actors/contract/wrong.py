"""What is wrong with a part of a request."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Such as `("messages", 2, "role")`."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Where, and what was expected there."""

    path: Path
    expected: str
    found: Any = None
    """Only its type may be told."""
    count: int | None = None
    """How many were found, where there are too many."""
