"""Where a database is, and why it cannot be reached, without showing a user or password."""

import errno
import os
import re
import socket
import ssl
from urllib.parse import parse_qs, urlsplit

import asyncpg

_NO_TLS = "rejected SSL upgrade"
_NO_WAY = "there is no way to that host"
_BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused: nothing listens there",
    errno.ENOENT: "no such socket: nothing listens there",
    errno.ECONNRESET: "the connection was closed at once",
    errno.EHOSTUNREACH: _NO_WAY,
    errno.ENETUNREACH: _NO_WAY,
    socket.EAI_AGAIN: "the host's name cannot be looked up at present",
}
_BY_KIND: dict[type[BaseException], str] = {
    socket.gaierror: "no host of that name is known",
    TimeoutError: "no answer in time",
    asyncpg.ConnectionDoesNotExistError: "the connection was closed at once",
}


def location(url: str) -> str:
    """Host, port and database of a URL, without user, password or options."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError:
        return "(unreadable URL)"
    if "@" in parts.path or parts.fragment:  # probably from a password that is not percent-encoded
        return "(unreadable URL)"
    port = query.get("port", [os.environ.get("PGPORT") or "5432"])[-1]
    given = parts.netloc.rpartition("@")[2] or query.get("host", [os.environ.get("PGHOST", "")])[-1]
    hosts = [_host(host, port) for host in given.split(",")]
    return f"{','.join(hosts)}{parts.path}"


def host_names(url: str) -> list[str]:
    """The names of a URL's hosts, without those of sockets."""
    try:
        parts = urlsplit(url)
        given = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[-1]
    except ValueError:
        return []
    names = (re.sub(r":\d*$", "", it).strip("[]") for it in given.split(","))
    return [it for it in names if it and not it.startswith("/")]


def _host(host: str, port: str) -> str:
    if not host:
        return f"(local socket):{port}"
    if host.startswith("/"):
        return f"{host}:{port}"
    has_port = ":" in host.rpartition("]")[2]
    return host if has_port else f"{host}:{port}"


def no_way(error: BaseException) -> str | None:
    """Why there is no connection; None if the system's own message is best."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "it cannot be verified")
        return f"TLS: the server's certificate is not accepted ({why})"
    if isinstance(error, ssl.SSLError):
        return f"TLS: no common way ({getattr(error, 'reason', None) or 'it failed'})"
    if _NO_TLS in str(error):
        return "TLS: the server offers none, and the URL's sslmode wants it"
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    if is_refused(error):
        return "connection refused: nothing listens at any of its addresses"
    return next((text for kind, text in _BY_KIND.items() if isinstance(error, kind)), None)


def is_refused(error: BaseException) -> bool:
    """Whether nothing listens at the address."""
    if not isinstance(error, OSError):
        return False
    # If several addresses were tried, the error has no errno.
    listed = "Connect call failed" in str(error)
    return listed or error.errno in (errno.ECONNREFUSED, errno.ENOENT)


def is_tls(error: BaseException) -> bool:
    """Whether the error concerns TLS, so that waiting does not help."""
    return isinstance(error, ssl.SSLError) or _NO_TLS in str(error)
