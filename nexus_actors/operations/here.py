"""Where this process runs: what tells its data directory from a copy of it."""

import os
import socket
from pathlib import Path

from nexus_actors.operations.instance import boot_id, pid_namespace
from nexus_actors.storage.postgres.claim import Place, place


def here(data_dir: Path) -> Place:
    """This process in that directory, on this host, or in this container of it."""
    directory = data_dir.resolve()
    found = directory.stat()
    name = f"{directory}:{found.st_dev}:{found.st_ino}"
    return place(socket.gethostname(), boot_id(), os.getpid(), name, pid_namespace())
