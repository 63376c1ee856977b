"""Folders and processes of test runs, of which nothing is left however a run ends.

A run holds the lock on its folder. The kernel frees that with the run's process, be it finished,
interrupted or killed; the next run then removes the folder.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def own_folder(place: Path, name: str) -> Iterator[Path]:
    """A new folder there, whose name begins so, and which no sweep removes while the block runs."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=name, dir=place))
        if (lock := _lock(folder)) is not None:
            break  # else a sweep was quicker
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(place: Path, name: str) -> None:
    """Remove the folders there of runs that have been killed."""
    for folder in abandoned(place, name):
        shutil.rmtree(folder, ignore_errors=True)


def abandoned(place: Path, name: str) -> Iterator[Path]:
    """The folders there of runs that have been killed. Nobody else is given one before the next."""
    for folder in place.glob(f"{name}*"):
        if (lock := _lock(folder)) is not None:
            try:
                yield folder
            finally:
                os.close(lock)


@contextmanager
def ended_with_input(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """A process that ends with its input, until the block ends; then it has ended.

    `with process` does not wait for it after Ctrl-C.
    """
    assert process.stdin is not None
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):  # it ended by itself, and something is not yet written
            process.stdin.close()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _lock(folder: Path) -> int | None:
    """The lock on a folder, which lasts until it is closed; None if another process has it, or the
    folder is removed or another user's. On the folder itself: a server's may hold nothing else."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():  # who had the lock may have removed it
            return lock
    os.close(lock)
    return None
