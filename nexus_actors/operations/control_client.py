"""The client of the control socket (`control.py`), for `nexus status`, `tree`, `stop` and others.

These commands may run every few seconds, so this imports the standard library only.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from nexus_actors.operations import private
from nexus_actors.operations.instance import holder

SOCKET = "control.sock"
LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel allows 107, on macOS 103."""
REQUEST_TIMEOUT = 10.0
"""Seconds for one connection."""
_CHUNK = 1 << 16


class ControlError(Exception):
    """The service did not respond. The message is one line for the operator."""


class NotRunning(ControlError):
    """No service runs with this data directory."""


class Stopping(ControlError):
    """A service holds the data directory, but no longer responds, or not yet."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"the service (pid {pid}) is starting or stopping; it answers nothing now")
        self.pid = pid


class Starting(Stopping):
    """The service has not started yet: it waits for something."""

    def __init__(self, pid: int, waits_for: str) -> None:
        ControlError.__init__(self, f"the service (pid {pid}) is starting: {waits_for}")
        self.pid = pid


def socket_path(data_dir: Path) -> Path:
    """The path of the socket: in `data_dir`, or, if that path is too long for a socket, in a
    directory that the service has made for it and recorded in `data_dir`.
    """
    path = data_dir / SOCKET
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    try:
        return Path(os.fsdecode(note_of(data_dir).read_bytes())) / SOCKET
    except OSError:
        return path


def note_of(data_dir: Path) -> Path:
    """The file that names the directory of a socket outside `data_dir`."""
    return data_dir / "control.dir"


def ask(
    data_dir: Path,
    command: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout: float = REQUEST_TIMEOUT,
) -> object:
    """Send one command to the service that runs with this `data_dir`, and wait for its answer.

    `timeout` is in seconds. Raises `NotRunning`, `Starting`, `Stopping`, or `ControlError` if the
    answer is an error or does not come in time.
    """
    sock, answer = open_session(data_dir, command, arguments, timeout=timeout)
    sock.close()
    return answer


def open_session(
    data_dir: Path,
    name: str,
    arguments: Mapping[str, object] | None = None,
    *,
    timeout: float = REQUEST_TIMEOUT,
) -> tuple[socket.socket, object]:
    """Like `ask`, but the connection stays open. The caller must close it."""
    deadline = time.monotonic() + timeout
    request = {"command": name} | ({"arguments": dict(arguments)} if arguments else {})
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            sock.settimeout(timeout)
            sock.connect(os.fsencode(socket_path(data_dir)))
            _check_server(data_dir, sock)
            sock.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(_read_line(sock, deadline))
        except (OSError, ValueError) as error:
            raise _no_answer(data_dir, name, error) from error
        if "error" in reply:
            raise ControlError(str(reply["error"]))
        stack.pop_all()
    return sock, reply["ok"]


def _no_answer(data_dir: Path, name: str, error: OSError | ValueError) -> ControlError:
    if isinstance(error, TimeoutError | ConnectionResetError | BrokenPipeError | ValueError):
        return ControlError(f"the service did not answer {name!r}")
    found = holder(data_dir)
    if found is not None and found.waits_for is not None:
        return Starting(found.pid, found.waits_for)
    if found is not None:
        return Stopping(found.pid)
    return NotRunning(f"no service is running with data_dir {data_dir}")


def _check_server(data_dir: Path, sock: socket.socket) -> None:
    """Check that the server is our user, or root. Root also accepts the directory's owner."""
    trusted = {0, os.geteuid()}
    if os.geteuid() == 0:
        trusted.add(data_dir.stat().st_uid)
    user = private.peer(sock)
    if user not in trusted:
        raise ControlError(
            f"the control socket of data_dir {data_dir} is held by another user (uid {user});"
            " nothing was said to it"
        )


def _read_line(sock: socket.socket, deadline: float) -> bytes:
    """Read a line. Raises TimeoutError at the deadline."""
    data = bytearray()
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        chunk = sock.recv(_CHUNK)
        if not chunk:
            break
        data += chunk
    return bytes(data)
