"""Settings that every provider behind HTTP has."""

import ipaddress
import re
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.port import ProviderSettings

_OWN_HEADERS = frozenset(
    {
        "anthropic-version",
        "api-key",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "x-api-key",
        "x-goog-api-key",
    }
)
_OF_ONE_CALL = re.compile(
    r"/((chat/)?completions|responses|messages|embeddings|models/[^/]*:\w+)/*$"
)
"""What stands in examples after a `base_url`."""
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Characters of a header's name (RFC 9110, 5.6.2)."""


class HttpSettings(ProviderSettings):
    """Settings every such provider has; a kind adds its own by subclassing."""

    # A URL may have a password in it, and is refused for that: it must not be shown then.
    model_config = ConfigDict(hide_input_in_errors=True)

    base_url: str
    """The URL that the API's paths are appended to, such as `https://api.openai.com/v1`."""
    allow_insecure: bool = False
    """Allow plain http to another host. Keys and prompts can then be read on the way."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Additional headers of each call, such as `OpenAI-Organization`. Not for secrets."""
    free: bool = False
    """Answers cost 0 unless the model has a price. Otherwise an unknown price stays unknown."""
    idle_timeout: float = Field(default=60.0, gt=0)
    """How long a streamed answer may take to begin, and to go on after each piece."""
    transport: Literal["auto", "native", "httpx2"] = "auto"
    """The HTTP client. `auto` is `native`, or `httpx2` where there is a proxy, or where a server's
    TLS does not work with `native`."""
    proxy: str | None = None
    """The HTTP proxy for all calls, such as `http://proxy.example:3128`. Proxies that the
    environment names (`HTTPS_PROXY`) are not used."""

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, text: str) -> str:
        if "://" not in text:
            raise ValueError("expected a URL that begins with https://, like https://host/v1")
        url = urlsplit(text)  # its ValueError of a bad IPv6 address is clear enough
        if not has_good_port(url):
            raise ValueError("expected a port from 1 to 65535 after the host, https://host:8000/v1")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("expected a URL like https://api.openai.com/v1")
        if url.username is not None or url.password is not None:
            raise ValueError("must hold no user name or password: name a variable in api_key_env")
        if "?" in text or "#" in text:
            raise ValueError(
                "must have no query (?) and no fragment (#); kind openai_compatible has query = {…}"
            )
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("must be printable ASCII without blanks")
        if (path := _OF_ONE_CALL.search(text)) is not None:
            raise ValueError(f"must end before {path[0]}, which the provider adds itself")
        return text.rstrip("/")

    @field_validator("proxy")
    @classmethod
    def _check_proxy(cls, text: str | None) -> str | None:
        if text is None:
            return None
        url = urlsplit(text)
        if url.scheme not in ("http", "https") or not url.hostname or not has_good_port(url):
            raise ValueError("expected a URL like http://proxy.example:3128")
        if url.username is not None or url.password is not None:
            raise ValueError("must hold no user name or password")
        return text

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name or not _TOKEN.issuperset(name):
                raise ValueError(f"expected names of headers, which {name!r} is not")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(
                    f"expected no {name}: the provider sets it, with the key of api_key_env"
                )
            if not is_header_value(value):
                raise ValueError(f"expected printable ASCII as the value of {name}")
        return headers

    def server(self, request: LLMRequest) -> str:
        """By which name `models.toml` knows who answers this request."""
        return self.kind

    @model_validator(mode="after")
    def _check_transport(self) -> Self:
        if self.proxy is not None and self.transport == "native":
            raise ValueError('transport: expected "auto" or "httpx2" beside proxy')
        return self

    @model_validator(mode="after")
    def _check_secrecy(self) -> Self:
        url = urlsplit(self.base_url)
        if url.scheme == "http" and not self.allow_insecure and not _is_loopback(url.hostname):
            raise ValueError(
                "base_url: expected https, or allow_insecure = true beside it:"
                " http sends keys and prompts in the clear"
            )
        return self


def has_good_port(url: SplitResult) -> bool:
    """Whether its port, if there is one, can be connected to."""
    try:
        return url.port != 0
    except ValueError:
        return False


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_header_value(text: str) -> bool:
    """Whether it can stand in a header as it is."""
    return text.isascii() and text.isprintable() and text == text.strip()
