"""A collector that takes OTLP over HTTP, by OpenTelemetry's own exporter.

The one module that imports opentelemetry, so it is imported late. What that and its HTTP client log
is not heard: it quotes headers, which hold secrets.
"""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from nexus_actors import __version__
from nexus_actors.tracing import conventions as name
from nexus_actors.tracing import wire
from nexus_actors.tracing.spans import Span, Value

_SCOPE: Final = ("nexus_actors", __version__)


class Collector(OTLPSpanExporter):
    """Where spans are sent. What the standard variables OTEL_EXPORTER_OTLP_* say of headers,
    certificates, compression and timeout holds; what they cannot mean is raised.

    The exporter's own way to write spans is left out, for what it costs (`wire.py`); its way to
    send them is used as it is: a few tries, for as long as OTEL_EXPORTER_OTLP_TIMEOUT says (10 s).
    That is its `_client`, which it promises to nobody: a release without it fails the tests, and in
    a service it is told and harms no request (`Exporting`).
    """

    def __init__(
        self, endpoint: str, resource: Mapping[str, str], attributes: Mapping[str, str]
    ) -> None:
        """`resource`: what names this service, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES
        do. `attributes`: what outranks both."""
        for library in ("opentelemetry", "requests", "urllib3"):
            logging.getLogger(library).setLevel(logging.CRITICAL + 1)
        super().__init__(f"{endpoint}/v1/traces")
        self._about = _resource(resource, attributes)

    def send(self, spans: Sequence[Span]) -> str | None:
        """Send them; why they were not taken, in our words, or None if they were."""
        done = self._client.export(wire.request(spans, self._about, _SCOPE, name.SCHEMA_URL))
        if done.success and done.status_code is not None and done.status_code < 300:
            return None
        if done.status_code is not None:
            return f"HTTP {done.status_code}"
        return "no answer" if done.error is None else type(done.error).__name__

    def shutdown(self) -> None:
        """Let `send` try no more, and close the connection."""
        super().shutdown()  # type: ignore[no-untyped-call]


def _resource(given: Mapping[str, str], attributes: Mapping[str, str]) -> Mapping[str, Value]:
    own: dict[str, str | int] = {
        **given,
        name.SERVICE_VERSION: __version__,
        name.HOST_NAME: socket.gethostname(),
        name.PROCESS_PID: os.getpid(),
    }
    environment = OTELResourceDetector().detect()
    merged = Resource(own).merge(environment).merge(Resource({**attributes}))
    return {key: it for key, it in merged.attributes.items() if isinstance(it, str | int)}
