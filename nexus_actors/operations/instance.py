"""Ensures one service per data directory: the lock that proves it, and the owner id of its
leases."""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from nexus_actors.data_dir import explain, is_full

Database = Literal["embedded", "external"]
"""Which database a process uses: the one in its data directory, or another."""
_ID: Final = "instance-id"
_MOST_READ: Final = 4096
"""The most characters that are read of the lock file."""


class InstanceError(Exception):
    """The data directory cannot be used. The message is one line for the operator."""


class DataDirError(InstanceError):
    """The data directory cannot be used until the config or its permissions change."""


@dataclass(frozen=True, slots=True)
class Instance:
    """This instance of the service, as the journal names it."""

    id: str
    """A UUID, made once per data directory. If the holder of the lock finds leases under this id,
    it knows that the process that took them is dead."""
    data_dir: Path
    lock: int
    """The descriptor of the lock file, which also tells others who holds the lock."""
    database: Database = "embedded"

    def wait_for(self, what: str | None) -> None:
        """Record what the start waits for; None once it no longer waits."""
        told = " ".join(what.split()) if what else ""
        text = f"{os.getpid()}\n{self.database}\n{told}".encode(errors="replace")
        with suppress(OSError):  # a full disk: others learn less
            # In this order, so that a concurrent reader always finds the holder.
            os.pwrite(self.lock, text, 0)
            os.ftruncate(self.lock, len(text))


class Holder(NamedTuple):
    """The service that holds a data directory."""

    pid: int
    database: str
    """`embedded` or `external`; empty if that is not written yet."""
    waits_for: str | None
    """What the start waits for."""


@contextmanager
def claim_instance(data_dir: Path, database: Database = "embedded") -> Iterator[Instance]:
    """Make the directory (mode 0700) and hold its lock until the block ends or the process dies.

    Raises `InstanceError` if another service holds it or the directory cannot be written.
    """
    lock = data_dir / "nexus.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(data_dir, error) from error
    try:
        if not _lock(descriptor):
            pid = running_pid(data_dir)
            raise InstanceError(
                f"a service is already running with data_dir {data_dir}"
                + (f" (pid {pid})" if pid else "")
                + "; give this one its own [service] data_dir"
            )
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n{database}\n".encode(), 0)
            instance = Instance(_made_id(data_dir), data_dir, descriptor, database)
        except OSError as error:
            raise _unusable(data_dir, error) from error
        yield instance
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _unusable(data_dir: Path, error: OSError) -> InstanceError:
    kind = InstanceError if is_full(error) else DataDirError
    return kind(explain(data_dir, error))


def boot_id() -> str:
    """An id that changes at each boot; empty if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """An id that distinguishes containers on a host; empty if the system has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _lock(descriptor: int) -> bool:
    # A few tries: `running_pid` in another command holds the lock for a moment.
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def running_pid(data_dir: Path) -> int | None:
    """The process id of the service that holds the directory, or None if none does."""
    found = holder(data_dir)
    return None if found is None else found.pid


def pid_on_other_database(data_dir: Path) -> int | None:
    """The pid of the service that holds the directory if its database is not the embedded one; None
    also if none does. It is read from the lock file, so that a service that hangs delays nobody."""
    found = holder(data_dir)
    return found.pid if found is not None and found.database == "external" else None


def holder(data_dir: Path) -> Holder | None:
    """The service that holds the directory, or None if none does."""
    try:
        with (data_dir / "nexus.lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lines = (*lock.read(_MOST_READ).split("\n", 2), "", "")
                pid, database, waits_for = lines[:3]
                return Holder(int(pid), database, waits_for.strip() or None) if pid else None
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        pass
    return None


def instance_id(data_dir: Path) -> str | None:
    """The instance id of a data directory; None if it has none yet. Raises OSError."""
    try:
        return str(uuid.UUID((data_dir / _ID).read_text().strip()))
    except (FileNotFoundError, ValueError):
        return None


def _made_id(data_dir: Path) -> str:
    if (known := instance_id(data_dir)) is not None:
        return known
    fresh = str(uuid.uuid4())
    path = data_dir / _ID
    scratch = path.with_suffix(".new")
    scratch.write_text(fresh + "\n")
    scratch.replace(path)
    return fresh
