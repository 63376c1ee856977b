"""`[tracing]`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from nexus_actors.providers.http.settings import has_good_port
from nexus_actors.settings.section import Section


class TracingSettings(Section):
    """`[tracing]`. Off without an endpoint."""

    endpoint: str = ""
    """The OpenTelemetry collector's address for OTLP over HTTP, without `/v1/traces`. Empty: no
    tracing."""
    sample: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of requests without a `traceparent` that are traced."""
    attributes: dict[str, str] = Field(default_factory=dict)
    """Attributes of the resource, such as `deployment.environment.name`."""

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, text: str) -> str:
        text = text.strip().rstrip("/")
        if not text:
            return ""
        url = urlsplit(text)
        if url.scheme not in ("http", "https") or not url.hostname or not has_good_port(url):
            raise ValueError("expected a URL like http://collector:4318")
        if url.username is not None or url.password is not None:
            raise ValueError(
                "must hold no user name or password: OTEL_EXPORTER_OTLP_HEADERS is for secrets"
            )
        if "?" in text or "#" in text or not text.isascii() or not text.isprintable():
            raise ValueError("must be printable ASCII without a query (?) and a fragment (#)")
        if " " in text or text.endswith("/v1/traces"):
            raise ValueError("must have no blanks, and end before /v1/traces, which is added")
        return text
