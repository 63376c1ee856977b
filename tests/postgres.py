"""PostgreSQL for the tests: one embedded server per run, a database of its own for each test.

The server belongs to a keeper process, started by whichever pytest worker comes first. Each
worker holds a shared lock; the keeper stops the server once it can have that lock exclusively,
which is when the last worker has gone, be it finished, interrupted or killed.

As a program (`python tests/postgres.py DIRECTORY`) this file is the keeper.
"""

import asyncio
import fcntl
import itertools
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
import trio

from nexus_actors.storage.postgres.cluster import initialise
from nexus_actors.storage.postgres.connection import open_postgres
from nexus_actors.storage.postgres.embedded import open_embedded
from nexus_actors.storage.postgres.migrate import migrate
from nexus_actors.storage.postgres.sql import Queues
from tests.leftovers import own_folder, sweep
from tests.sql import Client

TEMPLATE = "nexus_template"
START_TIMEOUT = 60.0
SETTINGS = (
    # A test's data need not outlive a crash of the machine.
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=400",
    "shared_buffers=64MB",
    "autovacuum_naptime=1h",
    "max_wal_size=256MB",
)
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
"""Where Linux keeps files in memory. To make a database there takes a tenth of the time."""
ROOM = 2 << 30
"""Bytes that must be free there; containers often have no more than 64 MiB."""
FOLDERS = "nexus-keeper-"
"""How the names of the servers' folders begin, and of no others."""
_number = itertools.count(1)
_client = Client()
"""For making databases: beside that of the tests, which change from one to the next."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """URL of this run's server, its maintenance database."""
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    with running_server(shared) as url:
        yield url


@pytest.fixture
def database_url(postgres_server: str, worker_id: str) -> Iterator[str]:
    """A database of this test alone, migrated, with the default queues."""
    with new_database(postgres_server, worker_id, TEMPLATE) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_server: str, worker_id: str) -> Iterator[str]:
    """A database of this test alone, with nothing in it."""
    with new_database(postgres_server, worker_id, "template1") as url:
        yield url


def copy_cluster(server: str, data_dir: Path) -> None:
    """Give the embedded server of that folder a cluster, as it makes one itself, but in a tenth of
    the time. `server` is the run's; its cluster was copied before it first started."""
    (host,) = parse_qs(urlsplit(server).query)["host"]
    data_dir.mkdir(exist_ok=True)
    _copy(Path(host).with_name("unused"), data_dir / "postgres")


def with_database(url: str, name: str) -> str:
    """`url` with another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@contextmanager
def new_database(server: str, worker: str, template: str) -> Iterator[str]:
    """URL of a database of its own, until the block ends."""
    name = f"test_{worker}_{os.getpid()}_{next(_number)}"
    _client.query(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield with_database(server, name)
    finally:
        _client.query(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@contextmanager
def running_server(shared: Path) -> Iterator[str]:
    """Join this run's server, starting its keeper if there is none."""
    with _locked(shared / "postgres-users.lock", fcntl.LOCK_UN) as users:
        with _locked(shared / "postgres-keeper.lock", fcntl.LOCK_EX):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not (shared / "postgres-url").exists():
                _start_keeper(shared)
        yield (shared / "postgres-url").read_text()


def _start_keeper(shared: Path) -> None:
    """Start the keeper as nobody's child, so that no worker's end takes it along, and wait."""
    root = Path(__file__).parent.parent
    log = shared / "postgres-keeper.log"
    with log.open("ab") as output:
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", sys.executable, "-Wignore", __file__, str(shared)],
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT
    while not (shared / "postgres-url").exists():
        if time.monotonic() > deadline or (shared / "postgres-failed").exists():
            raise RuntimeError(f"the tests' PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[IO[str]]:
    with path.open("a") as file:
        fcntl.flock(file, mode)
        yield file


async def _keep(shared: Path) -> None:
    """Run the server for as long as anybody uses it."""
    try:
        usual = Path(tempfile.gettempdir())
        for place in (MEMORY, usual):
            # 127 MB each. Their servers have ended with their keepers.
            sweep(place, FOLDERS)
        # Not below pytest's directory: that is private to its user, and the server, under root,
        # runs as another one.
        with own_folder(_memory() or usual, FOLDERS) as directory:
            await _serve(shared, directory)
    except BaseException:
        (shared / "postgres-failed").touch()
        raise


async def _serve(shared: Path, directory: Path) -> None:
    await trio.to_thread.run_sync(initialise, directory, directory / "postgres")
    _copy(directory / "postgres", directory / "unused")
    async with open_embedded(directory, settings=SETTINGS) as url:
        await _make_template(url)
        _publish(shared / "postgres-url", url)
        with (shared / "postgres-users.lock").open("a") as users:
            while True:
                await trio.sleep(0.1)
                if await _stopped_by_last_user(shared, users):
                    break


def _memory() -> Path | None:
    """The folder for files in memory. None, which is the usual folder for temporary files, where it
    is missing, too small, or not ours to write."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if usable and shutil.disk_usage(MEMORY).free >= ROOM else None


async def _stopped_by_last_user(shared: Path, users: IO[str]) -> bool:
    """Whether nobody is left. Who comes later finds no URL, and starts another keeper."""
    with (shared / "postgres-keeper.lock").open("a") as keeper:
        try:
            fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        (shared / "postgres-url").unlink(missing_ok=True)
        return True


def _copy(cluster: Path, target: Path) -> None:
    """With its owner, which is not us where we are root."""
    subprocess.run(["cp", "-a", cluster, target], check=True)


async def _make_template(url: str) -> None:
    await trio.to_thread.run_sync(asyncio.run, _execute(url, f"CREATE DATABASE {TEMPLATE}"))
    async with open_postgres(with_database(url, TEMPLATE)) as pool:
        await migrate(pool, Queues())


def _publish(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(path)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    trio.run(_keep, Path(sys.argv[1]))
