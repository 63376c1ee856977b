"""The local socket that `nexus status`, `tree` and `stop` talk to (`control_client.py`).

There is one request per connection, and each side sends one line of JSON: `{"command": "status"}`,
with `"arguments"` if the command takes any → `{"ok": …}` or `{"error": "…"}`. If the name is that
of a session, the session takes over the connection (`remote.py`). Only the user who runs the
service, and root, can connect: the socket has mode 0600 in a directory that others cannot write to,
and both sides check the peer's user.
"""

import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
import trio

from nexus_actors.data_dir import explain
from nexus_actors.operations import control_client, private
from nexus_actors.operations.control_client import (
    LONGEST_SOCKET_PATH,
    REQUEST_TIMEOUT,
    SOCKET,
    ControlError,
    note_of,
    socket_path,
)
from nexus_actors.operations.instance import DataDirError
from supervisors import GenServer, Status

log = structlog.get_logger("nexus.control")

Command = Callable[[Mapping[str, Any]], Awaitable[object]]
"""Takes the arguments as JSON values, which must be validated, and returns the answer as a JSON
value. Raises CommandRefused with a line for the operator."""

Session = Callable[[trio.SocketStream], Awaitable[None]]
"""Takes over a connection. It begins with an answer like a command's."""

REQUEST_LIMIT = 65_536
"""The most bytes of a request line."""


class CommandRefused(Exception):
    """The command cannot be carried out. The message is one line for the operator."""


class Control(GenServer):
    """Answers commands about the running service. `commands` and `sessions` map names to their
    handlers.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        commands: Mapping[str, Command],
        sessions: Mapping[str, Session] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._path = data_dir / SOCKET
        self._commands = {**commands, "stop": self._stop}
        self._sessions = sessions or {}

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "commands": sorted(self._commands),
                "sessions": sorted(self._sessions),
            },
        )

    async def init(self) -> None:
        """Listen. The instance's lock is held, so an existing socket was left by a dead process."""
        try:
            listener = trio.SocketListener(await self._bind())
        except OSError as error:
            raise DataDirError(explain(self._data_dir, error)) from error
        self.spawn_link(self._serve, listener)
        log.info("ready", pid=os.getpid(), socket=str(self._path))  # only Watchdog starts later

    async def _bind(self) -> trio.socket.SocketType:
        self._path = self._place()
        self._path.unlink(missing_ok=True)
        sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await sock.bind(str(self._path))
        self._path.chmod(0o600)
        sock.listen()
        return sock

    def _place(self) -> Path:
        """The socket's path, in a directory of our own: `data_dir`, one made before, or a new one.

        Raises ControlError.
        """
        known = socket_path(self._data_dir)
        if len(os.fsencode(known)) > LONGEST_SOCKET_PATH or (
            known.parent != self._data_dir and not private.is_ours(known.parent)
        ):
            directory = private.new_directory()
            note_of(self._data_dir).write_bytes(os.fsencode(directory))
            return directory / known.name
        if known.parent.stat().st_uid != os.geteuid():
            raise ControlError(f"{known.parent} belongs to another user")
        return known

    async def _serve(self, listener: trio.SocketListener) -> None:
        try:
            await trio.serve_listeners(self._answer, [listener])
        finally:
            self._path.unlink(missing_ok=True)
            if self._path.parent != self._data_dir:
                self._path.parent.rmdir()

    async def _answer(self, stream: trio.SocketStream) -> None:
        session = None
        try:
            async with stream:
                with trio.move_on_after(REQUEST_TIMEOUT):
                    if private.peer(stream.socket) not in (0, os.geteuid()):
                        log.warning("another user's process was turned away")
                        return
                    name, arguments = read_request(await _read_line(stream))
                    session = self._sessions.get(name)
                    if session is None:
                        reply = await self._reply(name, arguments)
                        await stream.send_all(json.dumps(reply).encode() + b"\n")
                if session is not None:
                    await session(stream)
        except (trio.BrokenResourceError, OSError):
            log.debug("the asker went away")

    async def _reply(self, name: str, arguments: Mapping[str, Any]) -> dict[str, object]:
        command = self._commands.get(name)
        if command is None:
            known = ", ".join(sorted({*self._commands, *self._sessions}))
            return {"error": f'expected {{"command": NAME}} with one of: {known}'}
        try:
            return {"ok": await command(arguments)}
        except CommandRefused as refused:
            return {"error": str(refused)}
        except Exception:  # a bug in a session must not end the service
            log.exception("a command failed", command=name)
            return {"error": f"{name} failed; the service's log says why"}

    async def _stop(self, _arguments: Mapping[str, Any]) -> object:
        """Stop by SIGTERM, like a terminal or a service manager: there is one path to the drain."""
        log.info("nexus stop: this process stops itself, by SIGTERM")
        os.kill(os.getpid(), signal.SIGTERM)
        return {"pid": os.getpid()}


async def ask(
    data_dir: Path, command: str, arguments: Mapping[str, object] | None = None
) -> object:
    """`control_client.ask` from a task. If cancelled, it leaves a thread that ends by itself."""
    return await trio.to_thread.run_sync(
        control_client.ask, data_dir, command, arguments, abandon_on_cancel=True
    )


def read_request(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """The name and the arguments of a request. An empty name if the request is not valid."""
    try:
        request = json.loads(line)
        return str(request["command"]), dict(request.get("arguments", {}))
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", {}


async def _read_line(stream: trio.SocketStream) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and len(data) < REQUEST_LIMIT:
        chunk = await stream.receive_some()
        if not chunk:
            break
        data += chunk
    return bytes(data)
