"""The local socket that `nexus status`, `tree` and `stop` talk to.

One request a connection, each way one line of JSON: `{"command": "status"}` → `{"ok": …}` or
`{"error": "…"}`. Only the user who runs the service, and root, can connect: the socket has mode
0600 in a directory that others cannot write to, and both sides look who the other is.
"""

import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog
import trio

from nexus_actors.operations import private
from nexus_actors.operations.instance import running_pid
from supervisors import GenServer

log = structlog.get_logger("nexus.control")

Command = Callable[[], Awaitable[object]]
"""Gives what is answered, as JSON can hold it."""

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel takes 107, on macOS 103."""
REQUEST_LIMIT = 4096
"""Bytes of one request line."""
REQUEST_TIMEOUT = 10.0
"""Seconds for one connection."""


class ControlError(Exception):
    """The service did not answer; the message is one line for the operator."""


class NotRunning(ControlError):
    """No service runs with this data directory."""


class Stopping(ControlError):
    """A service holds the data directory, but answers no more (or not yet)."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"the service (pid {pid}) is starting or stopping; it answers nothing now")
        self.pid = pid


def socket_path(data_dir: Path) -> Path:
    """Where the socket stands: in `data_dir`, or, if that is too long a name for a socket, in the
    directory that the service has made for it and noted there.
    """
    path = data_dir / "control.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    try:
        return Path(os.fsdecode(_note(data_dir).read_bytes())) / "control.sock"
    except OSError:
        return path


def _note(data_dir: Path) -> Path:
    return data_dir / "control.dir"


class Control(GenServer):
    """Answers commands about the running service. `commands` maps each name to what answers it."""

    def __init__(self, *, data_dir: Path, commands: Mapping[str, Command]) -> None:
        self._data_dir = data_dir
        self._path = data_dir / "control.sock"
        self._commands = {**commands, "stop": self._stop}

    async def init(self) -> None:
        """Listen. The instance's lock is held, so a socket that is there is a dead one's."""
        listener = trio.SocketListener(await self._bind())
        self.spawn_link(self._serve, listener)
        log.info("ready", pid=os.getpid(), socket=str(self._path))  # the last of the tree to start

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
            _note(self._data_dir).write_bytes(os.fsencode(directory))
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
        try:
            with trio.move_on_after(REQUEST_TIMEOUT):
                async with stream:
                    if private.peer(stream.socket) not in (0, os.geteuid()):
                        log.warning("another user's process was turned away")
                        return
                    reply = await self._reply(await _read_line(stream))
                    await stream.send_all(json.dumps(reply).encode() + b"\n")
        except (trio.BrokenResourceError, OSError):
            log.debug("the asker went away")

    async def _reply(self, line: bytes) -> dict[str, object]:
        try:
            request = json.loads(line)
            name = request["command"]
            command = self._commands[name]
        except (ValueError, KeyError, TypeError, RecursionError):
            known = ", ".join(sorted(self._commands))
            return {"error": f'expected {{"command": NAME}} with one of: {known}'}
        try:
            return {"ok": await command()}
        except Exception:  # a console's mistake must not end the service
            log.exception("a command failed", command=name)
            return {"error": f"{name} failed; the service's log says why"}

    async def _stop(self) -> object:
        """The same way as from a terminal or a service manager: one signal, one path to drain."""
        os.kill(os.getpid(), signal.SIGTERM)
        return {"pid": os.getpid()}


async def ask(data_dir: Path, command: str) -> object:
    """Send one command to the service that runs with this `data_dir`.

    Raises `NotRunning`, `Stopping`, or `ControlError` if the answer is an error or does not come in
    time.
    """
    path = socket_path(data_dir)
    try:
        with trio.fail_after(REQUEST_TIMEOUT):
            async with await trio.open_unix_socket(str(path)) as stream:
                _check_server(data_dir, stream)
                await stream.send_all(json.dumps({"command": command}).encode() + b"\n")
                reply = json.loads(await _read_line(stream, limit=None))
    except (OSError, RuntimeError) as error:
        if (pid := running_pid(data_dir)) is not None:
            raise Stopping(pid) from error
        raise NotRunning(f"no service is running with data_dir {data_dir}") from error
    except (trio.TooSlowError, trio.BrokenResourceError, ValueError) as error:
        raise ControlError(f"the service did not answer {command!r}") from error
    if "error" in reply:
        raise ControlError(str(reply["error"]))
    return reply["ok"]


def _check_server(data_dir: Path, stream: trio.SocketStream) -> None:
    """The one who answers must be ourselves, or root; root also believes the directory's owner."""
    trusted = {0, os.geteuid()}
    if os.geteuid() == 0:
        trusted.add(data_dir.stat().st_uid)
    user = private.peer(stream.socket)
    if user not in trusted:
        raise ControlError(
            f"the control socket of data_dir {data_dir} is held by another user (uid {user});"
            " nothing was said to it"
        )


async def _read_line(stream: trio.SocketStream, limit: int | None = REQUEST_LIMIT) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and (limit is None or len(data) < limit):
        chunk = await stream.receive_some()
        if not chunk:
            break
        data += chunk
    return bytes(data)
