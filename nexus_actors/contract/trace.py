"""W3C trace context: which trace a request belongs to, and whose child what is done for it is.

Of `traceparent` version 00 is read, strictly; what is anything else is as if there were none.
`tracestate` is for the vendor of a tracing system, means nothing here, and is not passed on.
"""

import re
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(
    r"00-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)
"""As the SQL function nexus.traceparent has it."""
SAMPLED: Final = 0x01
"""The flag that says: whoever began the trace records it."""


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A span of a trace, as its children are told of it. `str` of it is the W3C header."""

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
    """The `traceparent` that a producer sent; None where it is none, whatever it is."""
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else TraceParent(found[1], found[2], int(found[3], 16))
