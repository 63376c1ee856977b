"""The local socket that `nexus status`, `tree` and `stop` talk to.

One request a connection, each way one line of JSON: `{"command": "status"}` → `{"ok": …}` or
`{"error": "…"}`. Only the user who runs the service can connect (mode 0600 in a 0700 directory).
"""

import hashlib
import json
import os
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog
import trio

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
    """Where the socket stands: in `data_dir`, or in a private temporary directory if that is too
    long.
    """
    path = data_dir / "control.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"nexus-{os.getuid()}-{digest}" / "control.sock"


class Control(GenServer):
    """Answers commands about the running service. `commands` maps each name to what answers it."""

    def __init__(self, *, data_dir: Path, commands: Mapping[str, Command]) -> None:
        self._data_dir = data_dir
        self._path = socket_path(data_dir)
        self._commands = {**commands, "stop": self._stop}

    async def init(self) -> None:
        """Listen. The instance's lock is held, so a socket that is there is a dead one's."""
        listener = trio.SocketListener(await self._bind())
        self.spawn_link(self._serve, listener)
        log.info("ready", pid=os.getpid(), socket=str(self._path))  # the last of the tree to start

    async def _bind(self) -> trio.socket.SocketType:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.parent.stat().st_uid != os.getuid():
            raise ControlError(f"{self._path.parent} belongs to another user")
        self._path.unlink(missing_ok=True)
        sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await sock.bind(str(self._path))
        self._path.chmod(0o600)
        sock.listen()
        return sock

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


async def _read_line(stream: trio.SocketStream, limit: int | None = REQUEST_LIMIT) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n") and (limit is None or len(data) < limit):
        chunk = await stream.receive_some()
        if not chunk:
            break
        data += chunk
    return bytes(data)
