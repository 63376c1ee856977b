"""W3C trace context: which trace a request belongs to, and its parent span.

Only version 00 of `traceparent` is accepted, strictly; anything else is ignored. `tracestate` is
specific to tracing vendors and is not passed on.
"""

import re
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(
    r"00-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)
"""The same as in the SQL function nexus.traceparent."""
SAMPLED: Final = 0x01
"""The flag that says that the caller records the trace."""


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A span, as it is passed to its children. `str` makes the W3C header."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    flags: int
    """0 to 255; `SAMPLED` is one of them."""

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def is_sampled(self) -> bool:
        """Whether spans below it are recorded."""
        return bool(self.flags & SAMPLED)


def parse_traceparent(value: object) -> TraceParent | None:
    """Parse a producer's `traceparent`; None if it is not valid, whatever its type."""
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else TraceParent(found[1], found[2], int(found[3], 16))
