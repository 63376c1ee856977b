"""What a PostgreSQL URL must be like. What is wrong with one is told without a part of it that may
be of its password."""

import difflib
import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_EXAMPLE: Final = "a URL such as postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_ENCODED: Final = (
    "a URL whose user and password are percent-encoded: @ as %40, / as %2F, # as %23, ? as %3F,"
    " : as %3A, % as %25"
)
_DRIVER: Final = (
    *("host", "port", "dbname", "database", "user", "password", "passfile", "service"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
    *("krbsrvname", "gsslib"),
)
"""What the driver takes for itself. The rest is told to the server, as a setting of its own."""
_SERVER: Final = (
    *("application_name", "options", "role", "search_path", "timezone", "client_encoding"),
    *("statement_timeout", "lock_timeout", "idle_session_timeout", "work_mem"),
    *("idle_in_transaction_session_timeout", "transaction_timeout", "tcp_user_timeout"),
    *("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"),
)
_NAME: Final = re.compile(r"[A-Za-z_]{1,40}(\.[A-Za-z_]{1,40})?")


def bad_url(url: str) -> str | None:
    """What a PostgreSQL URL should have been like, or None if it can be one."""
    scheme, separator, rest = url.partition("://")
    # What follows is told by the place of its characters: in a password that is not encoded they
    # make a parser see another host, port, path or query, and no mistake.
    if separator and _is_torn(rest):
        return _ENCODED
    try:
        parts = urlsplit(url)
        if "," not in parts.netloc:  # several hosts are fine for the driver, not for urlsplit
            _ = parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return _EXAMPLE
    if scheme not in {"postgresql", "postgres"} or not separator:
        return "a URL that begins with postgresql:// or postgres://"
    return _unknown([name for name, _ in pairs])


def has_password(url: str) -> bool:
    """Whether a password stands in a URL that is right."""
    parts = urlsplit(url)
    credentials, _, _ = parts.netloc.rpartition("@")
    return ":" in credentials or any(name == "password" for name, _ in parse_qsl(parts.query))


def _is_torn(rest: str) -> bool:
    """Whether an @, / or # of a user or password stands there as itself."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path = rest[len(authority) :].partition("?")[0]
    return authority.count("@") > 1 or "#" in rest or "@" in path


def _unknown(names: list[str]) -> str | None:
    known = (*_DRIVER, *_SERVER)
    for name in names:
        if name in known or ("." in name and _NAME.fullmatch(name)):
            continue
        if not _NAME.fullmatch(name):  # perhaps of a password with ? in it
            return _ENCODED
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        return f'a URL without the parameter "{name}", which is unknown{hint}'
    return None
