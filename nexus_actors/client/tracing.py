"""The trace context of the caller's program, if it uses OpenTelemetry."""

import sys

from nexus_actors.contract.trace import TraceParent


def current_traceparent() -> str | None:
    """The traceparent of the calling task's current span; None if it has none. Imports nothing: a
    program with spans has already imported OpenTelemetry."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    here = api.get_current_span().get_span_context()
    if not here.is_valid:
        return None
    return str(TraceParent(f"{here.trace_id:032x}", f"{here.span_id:016x}", int(here.trace_flags)))
