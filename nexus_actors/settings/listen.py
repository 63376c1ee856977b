"""Where a server of ours listens: `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH`, or nowhere."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

EXPECTED: Final = """"127.0.0.1:9464", "[::1]:9464", "unix:PATH", or "" for none"""
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?")
_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Tcp:
    """A port of a host, whose name is yet to be looked up where it is no address."""

    host: str
    port: int
    """0: any that is free."""


@dataclass(frozen=True, slots=True)
class Unix:
    """A socket in the file system. A relative path is one in `data_dir`."""

    path: str


Listen = Tcp | Unix


def parse_listen(text: str) -> Listen | None:
    """What a setting says; None for the empty one. Raises ValueError with what is expected."""
    if not text:
        return None
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path or "\0" in path or path.endswith("/"):
            raise ValueError(f"expected {EXPECTED}")
        return Unix(path)
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65_535 or not _is_host(host):
        raise ValueError(f"expected {EXPECTED}")
    return Tcp(host.strip("[]"), int(port))


def _is_host(text: str) -> bool:
    if not (text.startswith("[") and text.endswith("]")):
        return len(text) <= 253 and _HOST.fullmatch(text) is not None
    try:
        ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        return False
    return True
