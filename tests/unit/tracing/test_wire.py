"""What is written is read by those who know the format."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Read
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from nexus_actors.tracing import wire
from nexus_actors.tracing.spans import Span
from tests.collector import plain

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
VALUES = st.booleans() | INT64 | st.floats(allow_nan=False) | TEXT | st.lists(TEXT, max_size=3)
ATTRIBUTES = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), VALUES, max_size=9)


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.integers(0, 16**digits - 1).map(lambda it: f"{it:0{digits}x}")


SPANS = st.builds(
    Span,
    name=TEXT,
    kind=st.sampled_from(["internal", "client", "consumer"]),
    trace_id=hexadecimal(32),
    span_id=hexadecimal(16),
    flags=st.integers(0, 255),
    parent=st.none() | hexadecimal(16),
    parent_is_remote=st.booleans(),
    start=st.integers(0, 2**64 - 1),
    end=st.integers(0, 2**64 - 1),
    attributes=ATTRIBUTES,
    error=st.booleans(),
)
KINDS = {
    "internal": Read.SPAN_KIND_INTERNAL,
    "client": Read.SPAN_KIND_CLIENT,
    "consumer": Read.SPAN_KIND_CONSUMER,
}


@settings(max_examples=50, derandomize=True)
@given(st.lists(SPANS, max_size=3), ATTRIBUTES)
def test_all_of_a_span_is_read_again(spans: list[Span], resource: dict[str, Any]) -> None:
    written = wire.request(spans, resource, ("who", "1.0"), "https://schema")
    read = ExportTraceServiceRequest.FromString(written)
    [group] = read.resource_spans
    [scope] = group.scope_spans
    assert plain(group.resource.attributes) == resource
    assert (scope.scope.name, scope.scope.version) == ("who", "1.0")
    assert group.schema_url == scope.schema_url == "https://schema"
    assert len(scope.spans) == len(spans)
    for it, span in zip(scope.spans, spans, strict=True):
        assert it.trace_id.hex() == span.trace_id
        assert it.span_id.hex() == span.span_id
        assert it.parent_span_id.hex() == (span.parent or "")
        assert (it.name, it.kind) == (span.name, KINDS[span.kind])
        assert (it.start_time_unix_nano, it.end_time_unix_nano) == (span.start, span.end)
        assert plain(it.attributes) == span.attributes
        assert [type(value) for value in plain(it.attributes).values()] == [
            type(value) for value in span.attributes.values()
        ]
        error = Status.STATUS_CODE_ERROR if span.error else Status.STATUS_CODE_UNSET
        assert (it.status.code, it.status.message) == (error, "")
        assert it.flags == span.flags | 0x100 | (0x200 if span.parent_is_remote else 0)
        assert [it.trace_state, *it.events, *it.links] == [""]


def test_half_a_character_spoils_no_batch() -> None:
    written = wire.request([], {"host.name": "a\ud800b"}, ("who", "1.0"), "")
    [group] = ExportTraceServiceRequest.FromString(written).resource_spans
    assert plain(group.resource.attributes) == {"host.name": "a?b"}
