"""The trace of the caller's program, where that uses OpenTelemetry."""

import sys

from nexus_actors.contract.trace import TraceParent


def current_traceparent() -> str | None:
    """Of the span that the calling task is in; None where it is in none. Nothing is imported for
    it: who has a span has imported what makes it."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    here = api.get_current_span().get_span_context()
    if not here.is_valid:
        return None
    return str(TraceParent(f"{here.trace_id:032x}", f"{here.span_id:016x}", int(here.trace_flags)))
