"""A directory that is ours alone, and who is at the other end of a local socket."""

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
"""Characters: what is made in it must be short enough a name for a socket."""


def is_ours(directory: Path) -> bool:
    """Whether it is a directory of this user, no link to one, that admits nobody else."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    admits = stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not admits


def new_directory() -> Path:
    """A new directory of mode 0700 under a name that nobody can foretell: in the user's runtime
    directory if there is one of theirs alone, else among the temporary files.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    bases = [runtime] if runtime and is_ours(Path(runtime)) else []
    bases += [tempfile.gettempdir(), "/tmp"]  # noqa: S108 - the name is made up
    base = next((it for it in bases if len(os.fsencode(it)) <= LONGEST_BASE), bases[-1])
    return Path(tempfile.mkdtemp(prefix="nexus-", dir=base))


def peer(sock: "trio.socket.SocketType | socket.socket") -> int:
    """The user at the other end of a connected local socket, as the kernel knows it."""
    if sys.platform == "darwin":
        # SOL_LOCAL, LOCAL_PEERCRED: a struct xucred begins with its version and the user.
        return int(struct.unpack("II", sock.getsockopt(0, 1, 8))[1])
    size = struct.calcsize("3i")
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", credentials)[1])
