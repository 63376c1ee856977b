"""Checks of system limits: open files and memory."""

import re
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nexus_actors.doctor.check import Check, Installation, in_thread
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.monitoring.reading import connections_of
from nexus_actors.operations.instance import running_pid
from nexus_actors.settings import Settings
from nexus_actors.storage.postgres.database import BESIDE_POOL

_OWN_FILES: Final = 64
"""Files, pipes and sockets of a service, without connections."""
_VISITORS: Final = 192
"""Connections to the admin server: 160 live views, and requests."""
_BASE_MEGABYTES: Final = 96
"""Memory of an idle service."""
_CALL_BYTES: Final = 30_000
"""Memory per running call."""
_MEGABYTE: Final = 2**20


def look_at_open_files(at: Installation) -> Sequence[Finding]:
    """Check the limit of file descriptors; each connection needs one."""
    wanted = files_wanted(at.settings)
    pid = running_pid(at.data_dir)
    limit, whose = _of_process(pid) if pid is not None else (None, "")
    if limit is None:
        limit, whose = resource.getrlimit(resource.RLIMIT_NOFILE)[0], "here"
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        return [Ok(f"{wanted} may be needed; the limit {whose} is {_number(limit)}")]
    return [
        Wrong(
            f"{wanted} files may be open at once, and the limit {whose} is {limit}",
            "calls fail as connection_failed once it is reached, and so does the control socket",
            f"LimitNOFILE={2 * wanted} in the unit, or ulimit -n {2 * wanted} before nexus start;"
            " or smaller pool_size of [providers.NAME]",
        )
    ]


def files_wanted(settings: Settings) -> int:
    """The most open files. Each worker keeps one connection per key that it has used."""
    calls = sum(
        it.settings.pool_size * max(len(it.api_keys), 1) for it in settings.providers.values()
    )
    looked_at = connections_of(settings)
    visitors = _VISITORS if looked_at else 0
    return calls + settings.database.pool_size + BESIDE_POOL + looked_at + visitors + _OWN_FILES


def _number(limit: int) -> str:
    return "none" if limit == resource.RLIM_INFINITY else str(limit)


def _of_process(pid: int) -> tuple[int | None, str]:
    """The soft limit of another process, if the system shows it."""
    try:
        text = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None, ""
    found = re.search(r"^Max open files\s+(\d+|unlimited)", text, re.MULTILINE)
    if found is None:
        return None, ""
    limit = resource.RLIM_INFINITY if found[1] == "unlimited" else int(found[1])
    return limit, f"of the service (pid {pid})"


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory available to a process here, in bytes."""

    available: int
    why: str


def look_at_memory(at: Installation) -> Sequence[Finding]:
    """Compare the memory that requests and calls may need with what is available."""
    if running_pid(at.data_dir) is not None:
        return [Ok("a service runs; what it takes is taken already")]
    memory = available()
    if memory is None:
        return [NotChecked("the system does not tell how much memory there is")]
    calls = sum(it.settings.pool_size for it in at.settings.providers.values())
    configured = at.settings.queue.memory_megabytes
    wanted = configured + _BASE_MEGABYTES + calls * _CALL_BYTES // _MEGABYTE
    there = memory.available // _MEGABYTE
    if there >= wanted:
        return [Ok(f"{wanted} MB may be needed; {there} MB are available {memory.why}")]
    less = max(configured - (wanted - there), 16)
    return [
        Advice(
            f"{wanted} MB may be needed (memory_megabytes = {configured}), and {there} MB are"
            f" available {memory.why}",
            "a burst of large requests may have the system kill the service; what it leased is"
            " leased again, and a call may be paid twice",
            f"[queue] memory_megabytes = {less}, or more memory",
        )
    ]


def available(root: Path = Path("/")) -> Memory | None:
    """The smaller of what the machine and this process's control group have left."""
    found = list(_known(root))
    return min(found, key=lambda it: it.available) if found else None


def _known(root: Path) -> Sequence[Memory]:
    limits = []
    machine = _fields(root / "proc/meminfo").get("MemAvailable")
    if machine is not None:
        limits.append(Memory(machine * 1024, "on this machine"))
    group = root / "sys/fs/cgroup"
    most, used = _figure(group / "memory.max"), _figure(group / "memory.current")
    if most is not None and used is not None:
        limits.append(Memory(max(most - used, 0), "to this control group"))
    return limits


def _fields(file: Path) -> Mapping[str, int]:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    found = (re.match(r"(\w+):\s+(\d+) kB", it) for it in lines)
    return {it[1]: int(it[2]) for it in found if it is not None}


def _figure(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # `max`: no limit
        return None


CHECKS: Final = (
    Check("open_files", in_thread(look_at_open_files)),
    Check("memory", in_thread(look_at_memory)),
)
