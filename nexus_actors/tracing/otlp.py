"""Sends spans to a collector by OTLP over HTTP, with OpenTelemetry's own exporter.

This is the only module that imports opentelemetry, so it is imported late. Log lines of
opentelemetry and its HTTP client are suppressed, since they quote headers, which contain secrets.
"""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from nexus_actors import __version__
from nexus_actors.tracing import conventions as name
from nexus_actors.tracing.spans import Kind, Span

_KINDS: Final[Mapping[Kind, trace.SpanKind]] = {
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
    "consumer": trace.SpanKind.CONSUMER,
}
_SCOPE: Final = InstrumentationScope("nexus_actors", __version__, name.SCHEMA_URL)
_STATUS: Final = {
    True: trace.Status(trace.StatusCode.ERROR),
    False: trace.Status(trace.StatusCode.UNSET),
}
_UNWRITTEN: Final = "they cannot be written"


class Collector:
    """The collector. The standard variables OTEL_EXPORTER_OTLP_* for headers, certificates,
    compression and timeout apply. Invalid values raise an error."""

    def __init__(
        self, endpoint: str, resource: Mapping[str, str], attributes: Mapping[str, str]
    ) -> None:
        """`resource` names this service, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES do.
        `attributes` take precedence over both."""
        for library in ("opentelemetry", "requests", "urllib3"):
            logging.getLogger(library).setLevel(logging.CRITICAL + 1)
        self._session = _Session()
        self._exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", session=self._session)
        self._resource = _resource(resource, attributes)

    def send(self, spans: Sequence[Span]) -> str | None:
        """Send the spans, with retries within OTEL_EXPORTER_OTLP_TIMEOUT (10 s). Returns why they
        were not accepted, in our own words; None if they were."""
        self._session.trouble = _UNWRITTEN
        done = self._exporter.export([self._readable(span) for span in spans])
        if done is SpanExportResult.SUCCESS:
            return self._session.trouble
        return self._session.trouble or _UNWRITTEN

    def shutdown(self) -> None:
        """Make `send` stop retrying, and close the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, span: Span) -> ReadableSpan:
        flags = trace.TraceFlags(span.flags)
        trace_id, span_id = int(span.trace_id, 16), int(span.span_id, 16)
        parent = None
        if span.parent is not None:
            remote = span.parent_is_remote
            parent = trace.SpanContext(trace_id, int(span.parent, 16), remote, flags)
        return ReadableSpan(
            span.name,
            trace.SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags),
            parent,
            self._resource,
            span.attributes,
            kind=_KINDS[span.kind],
            status=_STATUS[span.error],
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=_SCOPE,
        )


class _Session(requests.Session):
    """An HTTP session that records why its last request failed, which the exporter does not say."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: str | None = None

    def request(self, *arguments: Any, **named: Any) -> requests.Response:
        try:
            answer = super().request(*arguments, **named)
        except Exception as error:
            self.trouble = type(error).__name__
            raise
        taken = 200 <= answer.status_code < 300  # the exporter takes a redirect for success
        self.trouble = None if taken else f"HTTP {answer.status_code}"
        return answer


def _resource(given: Mapping[str, str], attributes: Mapping[str, str]) -> Resource:
    own: dict[str, str | int] = {
        **given,
        name.SERVICE_VERSION: __version__,
        name.HOST_NAME: socket.gethostname(),
        name.PROCESS_PID: os.getpid(),
    }
    environment = OTELResourceDetector().detect()
    return Resource(own, name.SCHEMA_URL).merge(environment).merge(Resource({**attributes}))
