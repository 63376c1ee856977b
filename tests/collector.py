"""A collector on 127.0.0.1 that takes OTLP over HTTP, and keeps what it was sent.

A thread serves it: the service sends what is left once its loop has ended.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    """One span, as it came."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    """Empty: it has none."""
    start: int
    end: int
    """Nanoseconds since 1970."""
    is_error: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    schema_url: str


@dataclass
class Collector:
    """What has come so far. Every request is answered with `status`."""

    url: str = ""
    status: int = 200
    spans: list[Received] = field(default_factory=list)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Path and headers, in lower case, of each."""
    bodies: list[bytes] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)
    """Set with each request."""

    def children(self, parent_id: str) -> list[Received]:
        """The spans below one, by when they began."""
        found = [it for it in self.spans if it.parent_id == parent_id]
        return sorted(found, key=lambda it: (it.start, it.end))

    def named(self, name: str) -> list[Received]:
        """All of this name, by when they began."""
        return sorted((it for it in self.spans if it.name == name), key=lambda it: it.start)

    def take(self, body: bytes) -> None:
        """Keep what is in a request's body."""
        self.bodies.append(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = plain(group.resource.attributes)
            for scope in group.scope_spans:
                for it in scope.spans:
                    self.spans.append(
                        Received(
                            name=it.name,
                            kind=it.kind,
                            trace_id=it.trace_id.hex(),
                            span_id=it.span_id.hex(),
                            parent_id=it.parent_span_id.hex(),
                            start=it.start_time_unix_nano,
                            end=it.end_time_unix_nano,
                            is_error=it.status.code == 2,
                            attributes=plain(it.attributes),
                            resource=resource,
                            schema_url=scope.schema_url,
                        )
                    )


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as Python has them."""
    return {it.key: _value(it.value) for it in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(it) for it in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector at `url`, until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.requests.append((self.path, headers))
            if collector.status == 200:
                collector.take(body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()
            collector.came.set()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
