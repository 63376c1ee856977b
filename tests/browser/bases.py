"""Databases and folders for one service."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import TEMPLATE, new_database


@contextmanager
def database(server: str, worker: str) -> Iterator[str]:
    """A migrated one; made and dropped in a thread, since Playwright's loop has this one's."""
    made = new_database(server, worker, TEMPLATE)
    with ThreadPoolExecutor(1) as pool:
        url = pool.submit(made.__enter__).result()
        try:
            yield url
        finally:
            pool.submit(made.__exit__, None, None, None).result()


@contextmanager
def short_folder() -> Iterator[Path]:
    """Short, for sockets' sake."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-b-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
