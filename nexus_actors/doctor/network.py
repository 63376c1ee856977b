"""Checks of the admin server's address (`[admin]`) and the span collector (`[tracing]`), if set."""

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio

from nexus_actors.doctor.check import Check, Installation, in_thread
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.doctor.host import closed
from nexus_actors.operations.control_client import LONGEST_SOCKET_PATH
from nexus_actors.operations.instance import running_pid
from nexus_actors.settings.listen import Tcp, Unix, parse_listen

_GRPC: Final = 4317
_SHARE: Final = 0.8
"""Share of a check's time for one connection, so that its own error is reported in time."""
_LISTENS: Final = "0A"
"""The state LISTEN in /proc/net/tcp."""
_REFUSED: Final = "nexus start is refused"


def look_at_admin(at: Installation) -> Sequence[Finding]:
    """Check that the service can listen at `[admin] listen`. No finding if that is off."""
    where = parse_listen(at.settings.admin.listen)
    if where is None:
        return []
    if (shut := closed(at.data_dir)) is not None:
        return [shut]
    pid = running_pid(at.data_dir)
    return [_port(where, pid) if isinstance(where, Tcp) else _path(at.data_dir, where, pid)]


def _port(where: Tcp, pid: int | None) -> Finding:
    name = f"{where.host}:{where.port}"
    try:
        _bind(where)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            fix = "give [admin] listen an address of this host, and a port above 1023"
            return Wrong(f"{name}: {_lower(error)}", _REFUSED, fix)
        if pid is None:
            return _taken(name, f"ss -ltnp 'sport = :{where.port}'")
        ours = _holds(pid, where.port)
        if ours is None:
            return NotChecked(f"{name} is taken, and the system does not show whether by pid {pid}")
        held = Ok(f"{name} is held by the service (pid {pid})")
        return held if ours else _taken(name, f"ss -ltnp 'sport = :{where.port}'")
    return Ok(f"{name} is free")


def _taken(name: str, who: str) -> Wrong:
    fix = f"end what holds it ({who} names it), or give [admin] listen another address"
    return Wrong(f"{name} is taken by another process", _REFUSED, fix)


def _bind(where: Tcp) -> None:
    """Bind each of its addresses as the service does, without listening. Raises OSError."""
    found = socket.getaddrinfo(
        where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)


def _holds(pid: int, port: int) -> bool | None:
    """Whether the process listens at the port; None if the system does not show it."""
    try:
        process = Path(f"/proc/{pid}")
        open_files = set(_open_files(process / "fd"))
        lines = [
            line.split()
            for table in ("tcp", "tcp6")
            if (process / "net" / table).exists()
            for line in (process / "net" / table).read_text().splitlines()[1:]
        ]
    except OSError:
        return None
    return any(
        it[1].endswith(f":{port:04X}") and it[3] == _LISTENS and f"socket:[{it[9]}]" in open_files
        for it in lines
    )


def _open_files(folder: Path) -> Iterator[str]:
    for it in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(it.readlink())


def _path(data_dir: Path, where: Unix, pid: int | None) -> Finding:
    path = data_dir / where.path
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        problem = f"{path} is too long a name for a socket (of {LONGEST_SOCKET_PATH} bytes)"
        return Wrong(problem, _REFUSED, "give [admin] listen a shorter path")
    if not path.exists():
        return Ok(f"{path} is free")
    if not stat.S_ISSOCK(path.stat().st_mode):
        problem = f"{path} is no socket, and stands where one is to be"
        return Wrong(
            problem, _REFUSED, f"move it away, or give [admin] listen another path: {path}"
        )
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(os.fsencode(path))
        except ConnectionRefusedError:
            return Ok(f"nobody listens at {path}: nexus start replaces it")
        peer = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return (
        Ok(f"{path} is the service's (pid {pid})") if peer == pid else _taken(str(path), "ss -lxp")
    )


async def look_at_tracing(at: Installation) -> Sequence[Finding]:
    """Check that the collector accepts connections. No finding if tracing is off."""
    endpoint = at.settings.tracing.endpoint
    if not endpoint:
        return []
    url = urlsplit(endpoint)
    host, port = url.hostname or "", url.port or {"http": 80, "https": 443}[url.scheme]
    leads_to = "spans are dropped; requests are answered all the same"
    if port == _GRPC:
        cause = f"{endpoint}: port {_GRPC} is where collectors speak gRPC, and spans go by HTTP"
        return [Advice(cause, leads_to, "[tracing] endpoint with port 4318")]
    if at.given.offline:
        return [NotChecked("--offline: nobody is called")]
    environ = {name.lower() for name, value in at.given.environ.items() if value}
    if environ & {f"{url.scheme}_proxy", "all_proxy"}:
        return [NotChecked(f"{endpoint} may be reached by a proxy, which is not looked at")]
    try:
        with trio.fail_after(at.given.patience * _SHARE):
            await (await trio.open_tcp_stream(host, port)).aclose()
    except (OSError, trio.TooSlowError) as error:
        why = "no answer" if isinstance(error, trio.TooSlowError) else _lower(error)
        fix = "start the collector, or correct [tracing] endpoint; docs/tracing.md"
        return [Advice(f"{endpoint} cannot be connected to: {why}", leads_to, fix)]
    return [Ok(f"{endpoint} can be connected to")]


def _lower(error: OSError) -> str:
    """The reason of the first of several errors."""
    while isinstance(error.__cause__, OSError):
        error = error.__cause__
    if isinstance(error.__cause__, BaseExceptionGroup):
        first = error.__cause__.exceptions[0]
        error = first if isinstance(first, OSError) else error
    return (error.strerror or str(error)).lower()


CHECKS: Final = (
    Check("admin", in_thread(look_at_admin)),
    Check("tracing", look_at_tracing),
)
