"""Checks of this host: data_dir, disk, control socket, spool, and whether a service runs here."""

import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Final

from nexus_actors.data_dir import trouble
from nexus_actors.doctor.check import Check, Installation, in_thread
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.operations import control_client
from nexus_actors.operations.instance import Holder, holder
from nexus_actors.storage.spool import FILE as SPOOL
from nexus_actors.storage.spool import count_kept

ASKED: Final = 2.0
"""Seconds within which a running service should answer."""
_MEGABYTE: Final = 2**20
_LEAST_DISK: Final = 16 * _MEGABYTE
"""Bytes that the lock and the next answers need at least."""


def closed(data_dir: Path) -> NotChecked | None:
    """The finding for a user who may not read the service's folder. None for one who may, or if the
    folder does not exist. Raises OSError."""
    try:
        found = data_dir.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:  # such as /var/lib/private, where systemd keeps a DynamicUser's
        why = f"a folder above {data_dir} is closed to this user (uid {os.geteuid()})"
        return NotChecked(why, "nexus doctor as the service's user, or as root")
    if not stat.S_ISDIR(found.st_mode) or os.geteuid() in (0, found.st_uid):
        return None
    owner = _name_of(found.st_uid)
    why = f"{data_dir} is {owner}'s, whom the service runs as, and this is another user"
    return NotChecked(why, f"sudo -u {owner} nexus doctor")


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def of_data_dir(
    look: Callable[[Installation], Sequence[Finding]],
) -> Callable[[Installation], Sequence[Finding]]:
    """Make a check of the folder return `closed`'s finding, if there is one."""

    def looked(at: Installation) -> Sequence[Finding]:
        shut = closed(at.data_dir)
        return look(at) if shut is None else [shut]

    return looked


def look_at_data_dir(at: Installation) -> Sequence[Finding]:
    """Check that the service can write files there and that others cannot read them."""
    folder = at.data_dir
    if (why := trouble(folder)) is not None:
        cause, _, fix = why.rpartition(": ")
        return [Wrong(cause, "nexus start is refused", fix)]
    if not folder.exists():
        return [Ok(f"{folder}: nexus start makes it")]
    mode = stat.S_IMODE(folder.stat().st_mode)
    # Others may have the x bit: root's embedded server runs as another user.
    if mode & (stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH):
        others = f"{folder} is open to others (mode {mode:o})"
        return [Advice(others, "others can read kept answers, or move files in", _chmod(folder))]
    return [Ok(f"{folder}: of this user alone, writable")]


def _chmod(folder: Path) -> str:
    return f"chmod 700 {folder}"


def look_at_disk(at: Installation) -> Sequence[Finding]:
    """Check that the disk has room for answers kept while the database is unavailable."""
    there = next((it for it in (at.data_dir, *at.data_dir.parents) if it.exists()), Path("/"))
    spool = at.data_dir / SPOOL
    kept = spool.stat().st_size if spool.exists() else 0
    free = shutil.disk_usage(there).free
    wanted = at.settings.service.spool_megabytes * _MEGABYTE - kept
    room = f"{free // _MEGABYTE} MB are free in {there}"
    fix = f"make room there, or set [service] spool_megabytes to {max(free // _MEGABYTE // 2, 1)}"
    if free < _LEAST_DISK:
        leads_to = "no answer can be kept while the database is away, and nexus start may fail"
        return [Wrong(room, leads_to, fix)]
    if free < wanted:
        asked = f"{room}, and [service] spool_megabytes allows {ceil(wanted / _MEGABYTE)} more"
        leads_to = "while the database is away, the disk is full before the spool is"
        return [Advice(asked, leads_to, fix)]
    return [Ok(f"{room}; {max(wanted, 0) // _MEGABYTE} MB are what the spool may still take")]


def look_at_service(at: Installation) -> Sequence[Finding]:
    """Check whether a service runs here, answers, and reports itself healthy."""
    found = holder(at.data_dir)
    if found is None:
        return [Ok(_none_runs(at.data_dir))]
    if found.waits_for is not None:
        cause = f"the service (pid {found.pid}) has not started: {found.waits_for}"
        return [Wrong(cause, "nothing is read until then", "see the check that names the cause")]
    return _answered(at, found)


def _none_runs(data_dir: Path) -> str:
    left = data_dir / "nexus.lock"
    try:
        is_stale = bool(left.read_bytes().strip())  # whatever wrote it
    except OSError:
        is_stale = False
    stale = "; the last one was killed, and its lock binds nobody" if is_stale else ""
    return f"none runs with {data_dir}{stale}"


def _answered(at: Installation, found: Holder) -> Sequence[Finding]:
    try:
        answer = control_client.ask(at.data_dir, "status", {"queues": False}, timeout=ASKED)
    except control_client.Stopping as error:
        drain = at.settings.service.drain_timeout
        return [
            Wrong(
                str(error),
                f"at a stop, calls end first, for up to {drain:g} s; nexus status, tree and reload"
                " do not reach it",
                "wait: the check nodes says which it is. A second SIGTERM would cut off calls that"
                " are paid for",
            )
        ]
    except control_client.ControlError as error:
        leads_to = "nexus status, stop, tree, reload and remote do not reach it"
        fix = (
            "ask again, and look at its log; one that is frozen (its log stands still) is ended by"
            f" kill -ABRT {found.pid}, then start it again"
        )
        return [Wrong(str(error), leads_to, fix)]
    return _state_of(found, answer if isinstance(answer, dict) else {})


def _state_of(found: Holder, answer: Mapping[str, Any]) -> Sequence[Finding]:
    if (state := answer.get("state")) != "degraded":
        return [Ok(f"one runs (pid {found.pid}): {state}")]
    # Several parts report the same outage of the database: one finding for each reason.
    outages: dict[str, list[str]] = {}
    for name, outage in (answer.get("outages") or {}).items():
        outages.setdefault(str(outage.get("error")), []).append(str(name))
    outages = outages or {"it does not say why": []}
    return [
        Wrong(
            f"the service (pid {found.pid}) is degraded: {error}",
            "it recovers by itself when the cause is over",
            "nexus status; docs/operating.md has what each reason means",
            subject=", ".join(names),
        )
        for error, names in outages.items()
    ]


def look_at_socket(at: Installation) -> Sequence[Finding]:
    """Report where the control socket is: in data_dir, unless its path would be too long."""
    plain = at.data_dir / control_client.SOCKET
    length = len(os.fsencode(plain))
    if length <= control_client.LONGEST_SOCKET_PATH:
        return [Ok(str(plain))]
    return [
        Advice(
            f"{plain} is too long a name for a socket ({length} bytes, of"
            f" {control_client.LONGEST_SOCKET_PATH})",
            "the socket stands in a folder of its own, among temporary files, where a cleaner may"
            " delete it: nexus status and stop then do not reach the service",
            "give a [service] data_dir with a shorter name",
        )
    ]


def look_at_spool(at: Installation) -> Sequence[Finding]:
    """Check for paid answers that are not published."""
    file = at.data_dir / SPOOL
    runs = holder(at.data_dir) is not None
    findings: list[Finding] = []
    if file.exists() and file.stat().st_size and not runs and (kept := count_kept(file)):
        findings.append(
            Advice(
                f"{kept} answer{'s' * (kept > 1)} in {file}, not published, and no service runs",
                "whoever asked waits, and another node may pay for the same answers again",
                "nexus start with this data_dir publishes them before all else",
            )
        )
    damaged = file.with_suffix(".damaged")
    if damaged.exists():
        findings.append(
            Advice(
                f"{damaged} has lines of the spool that could not be read",
                "they may be answers that were paid for",
                f"look at them, then delete the file: less {damaged}",
            )
        )
    return findings or [
        Ok("a service runs, and publishes what it keeps" if runs else "nothing is left")
    ]


CHECKS: Final = (
    Check("data_dir", in_thread(of_data_dir(look_at_data_dir))),
    Check("disk", in_thread(of_data_dir(look_at_disk))),
    Check("service", in_thread(of_data_dir(look_at_service))),
    Check("socket", in_thread(look_at_socket)),
    Check("spool", in_thread(of_data_dir(look_at_spool))),
)
