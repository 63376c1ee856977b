"""Authenticates viewers: by token, by session cookie, or as callers on this machine."""

import base64
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from nexus_actors.dashboard.visit import Viewer
from nexus_actors.settings.model import AccessToken, Settings

SESSION_SECONDS: Final = 12 * 3600
_LONGEST_COOKIE: Final = 400
_FORWARDED: Final = frozenset(
    {
        *("forwarded", "via", "x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip"),
        *("x-envoy-external-address", "x-arr-log-id", "cdn-loop"),
    }
)
_FORWARDED_PREFIXES: Final = ("x-forwarded", "x-original-", "cf-", "fastly-", "x-amzn-", "x-azure-")
"""Headers that proxies add. A proxy that adds none and sets `Host` to this server's cannot be told
from a browser on this machine."""
_PORT: Final = re.compile(r":(\d{1,5})$")
_LOCAL_HOST: Final = re.compile(
    r"(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from."""

    address: str | None
    """The peer's address; None on a Unix socket."""
    headers: Mapping[str, str]
    cookie: str | None = None
    http_version: str = "1.1"

    @property
    def is_forwarded(self) -> bool:
        """Whether the request came through a proxy: it has a proxy's header; or HTTP/1.0, nginx's
        default, which no browser speaks; or a `Referer` or `Origin` other than `Host`, from a link
        on another site, or because the browser knows this server by another name."""
        if any(it in _FORWARDED or it.startswith(_FORWARDED_PREFIXES) for it in self.headers):
            return True
        host = self.headers.get("host", "").lower()
        seen = [_netloc(self.headers[it]) for it in ("referer", "origin") if it in self.headers]
        return self.http_version == "1.0" or any(it != host for it in seen)

    @property
    def is_local(self) -> bool:
        """Whether the request comes from this machine and names it in `Host`. After DNS rebinding,
        a browser sends another name."""
        if self.address is None or self.is_forwarded:
            return False
        if not _LOCAL_HOST.fullmatch(self.headers.get("host", "")):
            return False
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Session:
    """An admitted viewer, and until when."""

    viewer: Viewer
    form_token: str
    """The CSRF token that the viewer's forms must send."""
    until: float | None
    """Unix time; None: as long as the caller is local."""


@dataclass(frozen=True, slots=True)
class NoTokens:
    """Rejected, and cannot log in: no token is configured."""


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """Rejected until the caller logs in."""


Admission = Session | NoTokens | NotSignedIn


def admit(caller: Caller, settings: Settings, key: bytes, now: float) -> Admission:
    """Authenticate the caller. `key`: this process's own, for the form tokens of viewers who need
    no access token; `now`: Unix time."""
    if settings.dashboard.tokens:
        return session(caller.cookie, settings.access, now) or NotSignedIn()
    match settings.dashboard.loopback:
        case "read" | "operate" as role if caller.is_local:
            return Session(Viewer("local", role), _mac(key, "form"), None)
        case _:
            return NoTokens()


def session_cookie(token: AccessToken, now: float) -> str:
    """The value of a cookie that admits its owner for `SESSION_SECONDS`, at each process that has
    the same token."""
    until = int(now) + SESSION_SECONDS
    return f"{until}.{_mac(_key(token), f'session {until} {token.name}')}.{token.name}"


def session(cookie: str | None, tokens: Sequence[AccessToken], now: float) -> Session | None:
    """The session of a cookie; None if the cookie is invalid or expired."""
    if cookie is None or len(cookie) > _LONGEST_COOKIE:
        return None
    until, _, rest = cookie.partition(".")
    mac, _, name = rest.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) <= 12) or int(until) <= now:
        return None
    token = next((it for it in tokens if it.name == name), None)
    if token is None:
        return None
    expected = _mac(_key(token), f"session {until} {name}")
    if not hmac.compare_digest(expected.encode(), mac.encode()):
        return None
    return Session(Viewer(name, token.role), _mac(_key(token), f"form {cookie}"), float(until))


def cookie_name(headers: Mapping[str, str], *, is_tls: bool) -> str:
    """The name of the session cookie. Browsers share cookies between ports, so the port is part of
    the name: two tunnels to `localhost` have a session each. With TLS, no other host can set it."""
    port = _PORT.search(headers.get("host", ""))
    name = f"nexus_session_{port[1]}" if port else "nexus_session"
    return f"__Host-{name}" if is_tls else name


def is_https(request: HTTPConnection) -> bool:
    """Whether the browser speaks TLS, to this server or to a proxy that reports it."""
    proto = request.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return proto == "https" or request.scope["scheme"] == "https"


def token_of(text: str, tokens: Sequence[AccessToken]) -> AccessToken | None:
    """Find the token with this secret. All are compared, each in constant time."""
    given = sha256(text.strip().encode()).digest()
    found = None
    for token in tokens:
        known = sha256(token.secret.get_secret_value().encode()).digest()
        if hmac.compare_digest(known, given):
            found = token
    return found


def is_same_site(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent from a page of this dashboard, as far as the browser tells.
    `X-Forwarded-Host` can be trusted here: no page can make a browser send it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    names = {headers.get(it, "").lower() for it in ("host", "x-forwarded-host")} - {""}
    return origin is None or _netloc(origin) in names


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return "?"


def same_token(given: str, expected: str) -> bool:
    """Whether a form's token is the right one."""
    return hmac.compare_digest(given.encode(), expected.encode())


def _key(token: AccessToken) -> bytes:
    return sha256(b"nexus dashboard\0" + token.secret.get_secret_value().encode()).digest()


def _mac(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
