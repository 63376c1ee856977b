"""The place where this process runs, which distinguishes its data directory from a copy."""

import os
import socket
from pathlib import Path

from nexus_actors.operations.instance import boot_id, pid_namespace
from nexus_actors.storage.postgres.claim import Place, place


def own_place(data_dir: Path) -> Place:
    """The place of this process: its data directory, host and container."""
    directory = data_dir.resolve()
    found = directory.stat()
    name = f"{directory}:{found.st_dev}:{found.st_ino}"
    return place(socket.gethostname(), boot_id(), os.getpid(), name, pid_namespace())
