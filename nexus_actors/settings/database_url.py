"""What a PostgreSQL URL must be like. A mistake is reported without any part of the URL that may
belong to its password."""

import difflib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from nexus_actors.settings.model import Settings

EXAMPLE: Final = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_EXAMPLE: Final = f"a URL such as {EXAMPLE}"
_ENCODED: Final = (
    "a URL whose user and password are percent-encoded: @ as %40, / as %2F, # as %23, ? as %3F,"
    " : as %3A, % as %25"
)
_MANY: Final = (
    "several hosts in the query if one is an IPv6 address:"
    " postgresql://USER:PASSWORD@/DATABASE?host=HOST:5432,[2001:db8::1]:5432"
)
_DRIVER: Final = (
    *("host", "port", "dbname", "database", "user", "password", "passfile", "service"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
    *("krbsrvname", "gsslib"),
)
"""What the driver takes for itself. The rest goes to the server, as a setting of its own."""
PARTS: Final = (
    *("host", "hostname", "port", "dbname", "database", "name", "user", "username", "password"),
    *("sslmode", "ssl"),
)
"""What many programs set apart, and a URL has in it."""
_SERVER: Final = (
    *("application_name", "options", "role", "search_path", "timezone", "client_encoding"),
    *("statement_timeout", "lock_timeout", "idle_session_timeout", "work_mem"),
    *("idle_in_transaction_session_timeout", "transaction_timeout", "tcp_user_timeout"),
    *("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"),
)
_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TLS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": _TLS,
    "ssl_max_protocol_version": _TLS,
    "target_session_attrs": (
        *("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),
    ),
    "gsslib": ("gssapi", "sspi"),
    "client_encoding": ("utf8", "utf-8", "unicode"),
}
"""What the driver, or a server that is to speak with it, takes."""
_WHOLE: Final = re.compile(r"\d+")
_TIME: Final = re.compile(r"\d+(\.\d+)?\s*(us|ms|s|min|h|d)?")
_SHAPES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "port": (re.compile(r"\d+(,\d+)*"), "a number, such as 5432"),
    **dict.fromkeys(
        (it for it in _SERVER if it.endswith("_timeout")),
        (_TIME, "a time such as 30s, 500ms or 5min"),
    ),
    "tcp_keepalives_idle": (_TIME, "a time such as 30s"),
    "tcp_keepalives_interval": (_TIME, "a time such as 30s"),
    "tcp_keepalives_count": (_WHOLE, "a whole number"),
    "work_mem": (re.compile(r"\d+(\.\d+)?\s*(B|kB|MB|GB|TB)?"), "a size such as 64MB"),
}
_FILES: Final = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
_HARMLESS: Final = re.compile(r"[A-Za-z0-9_.-]{1,24}")
"""A value that can be shown under the name of a parameter that holds no secret."""
_NAME: Final = re.compile(r"[A-Za-z_]{1,40}(\.[A-Za-z_]{1,40})?")


def bad_url(url: str) -> tuple[str, ...]:
    """What a PostgreSQL URL should have been like, one sentence for each mistake; none if it can be
    one."""
    if re.match(r"\$|%\w+%", url.strip()):
        return (
            "a URL itself, as no variables are filled in here: without url, DATABASE_URL counts",
        )
    scheme, separator, rest = url.partition("://")
    # Such a URL is recognized by the place of its characters: in a password that is not encoded
    # they make a parser see another host, port, path or query, and no mistake.
    if separator and _is_torn(rest):
        return (_ENCODED,)
    try:
        parts = urlsplit(url)
        if "," not in parts.netloc:  # several hosts are fine for the driver, not for urlsplit
            _ = parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        # Before the path, Python reads brackets only of a host that stands alone, since 3.12.9.
        hosts = re.split(r"[/?]", rest, maxsplit=1)[0].rpartition("@")[2]
        return (_MANY if "," in hosts and {"[", "]"} & {*hosts} else _EXAMPLE,)
    if scheme not in {"postgresql", "postgres"} or not separator:
        return ("a URL that begins with postgresql:// or postgres://",)
    unknown = _unknown(list(dict.fromkeys(name for name, _ in pairs)))
    wrong = () if _ENCODED in unknown else (_wrong(name, value) for name, value in pairs)
    return (*unknown, *filter(None, wrong))


def has_password(url: str) -> bool:
    """Whether a password stands in a URL that is right."""
    parts = urlsplit(url)
    credentials, _, _ = parts.netloc.rpartition("@")
    return ":" in credentials or any(name == "password" for name, _ in parse_qsl(parts.query))


def exposed_password(settings: Settings) -> Path | None:
    """The config file, if the URL in it has a password and everybody can read that file."""
    file = settings.file
    if file is None or settings.sources.get("database.url") != "file":
        return None
    exposed = has_password(settings.database.url.get_secret_value())
    return file if exposed and file.stat().st_mode & stat.S_IROTH else None


def _is_torn(rest: str) -> bool:
    """Whether an @, /, # or ? of a user or password stands there as itself."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("?")
    at_in_query = "@" in query and "@" not in authority
    return authority.count("@") > 1 or "#" in rest or "@" in path or at_in_query


def _unknown(names: list[str]) -> tuple[str, ...]:
    """All of them in one sentence."""
    known = (*_DRIVER, *_SERVER)
    problems = []
    for name in names:
        if name in known or ("." in name and _NAME.fullmatch(name)):
            continue
        if not _NAME.fullmatch(name):  # perhaps of a password with ? in it
            return (_ENCODED,)
        close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        problems.append(f'"{name}"' + (f' (did you mean "{close[0]}"?)' if close else ""))
    if not problems:
        return ()
    if len(problems) == 1:
        hint = problems[0].replace(" (did", "; did").removesuffix(")")
        name, _, rest = hint.partition(";")
        return (f"a URL without the parameter {name}, which is unknown" + (rest and f";{rest}"),)
    return (f"a URL without the parameters {', '.join(problems)}, which are unknown",)


def _wrong(name: str, value: str) -> str | None:
    """What the value of a known parameter should have been; None if it may be right."""
    read = f"not {value}" if _HARMLESS.fullmatch(value) else "not what stands there"
    if (choices := _CHOICES.get(name)) is not None:
        same = value.lower() if name == "client_encoding" else value
        if same in choices or (name == "sslmode" and value.replace("_", "-") in choices):
            return None
        close = difflib.get_close_matches(value.lower().replace("_", "-"), choices, n=1, cutoff=0.5)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        return f"{name} to be one of {', '.join(choices)}, {read}{hint}"
    if (shape := _SHAPES.get(name)) is not None:
        pattern, expected = shape
        return None if pattern.fullmatch(value.strip()) else f"{name} to be {expected}, {read}"
    if name in _FILES and _is_gone(value):
        return f"{name} to be a file that is there"
    return None


def _is_gone(path: str) -> bool:
    """Whether there surely is no such file; one that cannot be looked at may be there."""
    try:
        os.stat(path)  # noqa: PTH116 - a foreign text, which may be no path at all
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    return False
