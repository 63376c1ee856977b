"""Why a service cannot keep its files in a folder, and what to do about it."""

import errno
import os
from pathlib import Path
from typing import Final

_SYSTEM: Final = tuple(map(Path, ("/proc", "/sys", "/dev")))
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a place that is asked about, not used
_OTHER: Final = "give another [service] data_dir"


def trouble(data_dir: Path) -> str | None:
    """What speaks against the folder before it is used; None where nothing does."""
    there = _nearest(data_dir)
    if not there.is_dir():
        return _is_file(there)
    real = there.resolve()
    if any(real.is_relative_to(it) for it in _SYSTEM) and not real.is_relative_to(_SHARED_MEMORY):
        return f"{there} is the system's own and keeps no files: {_OTHER}"
    if os.access(there, os.W_OK | os.X_OK):
        return None
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return f"{there} is on a read-only file system: {_OTHER}"
    return _is_closed(there)


def is_full(error: OSError) -> bool:
    """Whether there is no room, which somebody may make: a later start may pass unchanged."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explain(data_dir: Path, error: OSError) -> str:
    """What the system refused, in one line for the operator."""
    why = None
    if is_full(error):
        why = f"{(error.strerror or 'it is full').lower()}: make room, or {_OTHER}"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EEXIST):
        why = trouble(data_dir)
    elif error.errno == errno.ENOTDIR:
        there = _nearest(data_dir)
        why = None if there.is_dir() else _is_file(there)
    elif error.errno == errno.EISDIR and isinstance(error.filename, str | Path):
        why = f"{error.filename} is a directory, a file was expected: remove it, or {_OTHER}"
    return f"cannot use data_dir {data_dir}: {why or error.strerror or type(error).__name__}"


def _nearest(folder: Path) -> Path:
    """What there is of it, also where it is a link that leads nowhere."""
    return next((it for it in (folder, *folder.parents) if os.path.lexists(it)), folder)


def _is_file(there: Path) -> str:
    what = "a link that leads nowhere" if there.is_symlink() and not there.exists() else "a file"
    return f"{there} is {what}, a directory was expected: remove it, or {_OTHER}"


def _is_closed(there: Path) -> str:
    return f"{there} is closed to this user (uid {os.geteuid()}): chown it, or {_OTHER}"
