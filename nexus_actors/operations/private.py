"""Private directories, and the user at the other end of a local socket."""

import os
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trio

LONGEST_BASE = 60
"""The most characters of the base directory, so that a socket's path in it is short enough."""


def is_ours(directory: Path) -> bool:
    """Whether it is a directory (not a link) of this user that no other user can access."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    admits = stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not admits


def new_directory() -> Path:
    """Make a directory of mode 0700 with an unpredictable name: in the user's runtime directory if
    that is private, else in the directory for temporary files.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    bases = [runtime] if runtime and is_ours(Path(runtime)) else []
    bases += [tempfile.gettempdir(), "/tmp"]  # noqa: S108 - mkdtemp makes the name
    base = next((it for it in bases if len(os.fsencode(it)) <= LONGEST_BASE), bases[-1])
    return Path(tempfile.mkdtemp(prefix="nexus-", dir=base))


def peer(sock: "trio.socket.SocketType | socket.socket") -> int:
    """The user id at the other end of a connected local socket, from the kernel."""
    if sys.platform == "darwin":
        # SOL_LOCAL, LOCAL_PEERCRED: a struct xucred begins with a version and the user id.
        return int(struct.unpack("II", sock.getsockopt(0, 1, 8))[1])
    size = struct.calcsize("3i")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[1])
