"""Opens the sockets of the admin server. Errors are one line for the operator."""

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from nexus_actors.operations.control_client import LONGEST_SOCKET_PATH
from nexus_actors.settings.listen import Tcp, Unix, parse_listen

BACKLOG: Final = 64
"""The most connections that wait to be accepted."""


class ListenError(Exception):
    """Listening at `[admin] listen` failed; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Open sockets."""

    listeners: list[trio.SocketListener]
    path: Path | None = None
    """The path of a Unix socket."""
    identity: tuple[int, int] | None = None
    """The device and inode of the Unix socket, to recognise it."""

    @property
    def addresses(self) -> list[object]:
        """The addresses that the sockets are bound to."""
        return [it.socket.getsockname() for it in self.listeners]

    def close(self) -> None:
        """Close the sockets, and remove the Unix socket unless it was replaced."""
        for listener in self.listeners:
            listener.socket.close()
        if self.path is not None and _identity(self.path) == self.identity:
            self.path.unlink()


async def listen(text: str, data_dir: Path) -> Listening:
    """Listen at the setting's address, or at each address of its host. The caller closes the
    sockets. Raises ListenError."""
    where = parse_listen(text)
    assert where is not None  # noqa: S101 - without one there is no server
    try:
        match where:
            case Tcp(host, port):
                return Listening(await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG))
            case Unix(path):
                return await _listen_at(data_dir / path)
    except OSError as error:
        raise ListenError(f'[admin] listen = "{text}": {_reason(error)}') from error


async def _listen_at(path: Path) -> Listening:
    """Open a Unix socket for the process's user and group. One without a listener is replaced."""
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise OSError(f"{path} is too long a name for a socket ({LONGEST_SOCKET_PATH} bytes)")
    await _remove_dead(path)
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await sock.bind(str(path))
        path.chmod(0o660)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return Listening([trio.SocketListener(sock)], path, _identity(path))


async def _remove_dead(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return  # then `bind` fails with the reason
        async with await trio.open_unix_socket(path):
            return
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]
