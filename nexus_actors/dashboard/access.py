"""Who may look and who may act: tokens, sessions, this machine's own."""

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
"""What proxies add. One that adds nothing, and passes `Host` as ours, is not to be told from a
browser here."""
_PORT: Final = re.compile(r":(\d{1,5})$")
_LOCAL_HOST: Final = re.compile(
    r"(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from."""

    address: str | None
    """Of the peer; None at a socket in the file system."""
    headers: Mapping[str, str]
    cookie: str | None = None
    http_version: str = "1.1"

    @property
    def is_forwarded(self) -> bool:
        """Whether it came by way of a proxy: it says so, or speaks as no browser does (nginx speaks
        HTTP/1.0 unless it is told otherwise), or the page that led here is none of ours: by a link
        elsewhere, or as the browser knows us under another name."""
        if any(it in _FORWARDED or it.startswith(_FORWARDED_PREFIXES) for it in self.headers):
            return True
        host = self.headers.get("host", "").lower()
        seen = [_netloc(self.headers[it]) for it in ("referer", "origin") if it in self.headers]
        return self.http_version == "1.0" or any(it != host for it in seen)

    @property
    def is_local(self) -> bool:
        """Whether a program of this machine has asked for this machine: a browser that was led here
        by another name has that name in `Host`."""
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
    """Who is there, and until when."""

    viewer: Viewer
    form_token: str
    """What his forms must send along."""
    until: float | None
    """Unix time; None: as long as he is local."""


@dataclass(frozen=True, slots=True)
class NoTokens:
    """Nobody can be let in from there: no token is configured."""


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """He may log in."""


Admission = Session | NoTokens | NotSignedIn


def admit(caller: Caller, settings: Settings, key: bytes, now: float) -> Admission:
    """Who that is. `key`: this process's own, for the forms of those who need no token; `now`: Unix
    time."""
    if settings.dashboard.tokens:
        return session(caller.cookie, settings.access, now) or NotSignedIn()
    match settings.dashboard.loopback:
        case "read" | "operate" as role if caller.is_local:
            return Session(Viewer("local", role), _mac(key, "form"), None)
        case _:
            return NoTokens()


def session_cookie(token: AccessToken, now: float) -> str:
    """The value of a cookie that lets its owner in for `SESSION_SECONDS`, at each process that has
    the same token."""
    until = int(now) + SESSION_SECONDS
    return f"{until}.{_mac(_key(token), f'session {until} {token.name}')}.{token.name}"


def session(cookie: str | None, tokens: Sequence[AccessToken], now: float) -> Session | None:
    """Whose session that is; None: nobody's, or it is over."""
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
    """Of the session's cookie. Browsers do not part cookies by port, so the port is in it: two
    tunnels to `localhost` have a session each. By TLS it is one that no other host can set."""
    port = _PORT.search(headers.get("host", ""))
    name = f"nexus_session_{port[1]}" if port else "nexus_session"
    return f"__Host-{name}" if is_tls else name


def is_https(request: HTTPConnection) -> bool:
    """Whether the browser speaks TLS, to a proxy that says so."""
    proto = request.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return proto == "https" or request.scope["scheme"] == "https"


def token_of(text: str, tokens: Sequence[AccessToken]) -> AccessToken | None:
    """Whose token that is. All are compared, each in the same time."""
    given = sha256(text.strip().encode()).digest()
    found = None
    for token in tokens:
        known = sha256(token.secret.get_secret_value().encode()).digest()
        if hmac.compare_digest(known, given):
            found = token
    return found


def is_same_site(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent from a page of ours, as far as the browser tells. `X-Forwarded-Host`
    is a proxy's: no page can have a browser send it."""
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
