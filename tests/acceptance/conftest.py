"""A user with a folder of their own, who must leave no process behind."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus import Inside, Nexus, query
from tests.postgres import copy_cluster
from tests.zygote import Zygote


@pytest.fixture
def nexus(zygote: Zygote) -> Iterator[Nexus]:
    """The `nexus` command; afterwards no process of it may live."""
    # Not below pytest's folder: it is private to its user, and an embedded server is another one
    # where the tests run as root. And short, for sockets' sake.
    folder = Path(tempfile.mkdtemp(prefix="nexus-at-"))
    user = Nexus(folder, uuid.uuid4().hex, zygote)
    try:
        yield user
        user.end()
        user.wait_all_gone()
    finally:
        user.end()
        user.kill_left_over()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(nexus: Nexus, postgres_server: str) -> None:
    """The user's data directory has a database cluster already: making one takes seconds."""
    copy_cluster(postgres_server, nexus.data_dir)


@pytest.fixture
def inside(
    nexus: Nexus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Inside:
    """The same user's commands in this process."""
    return Inside(nexus, monkeypatch, capsys)


@pytest.fixture
def roles(nexus: Nexus, database_url: str) -> Iterator[tuple[str, str, str]]:
    """URLs of the service, of the producer and of the operator."""
    mark = uuid.uuid4().hex[:8]
    names = [f"{name}_{mark}" for name in ("service", "producer", "operator")]
    nexus.configure(url=database_url)
    assert nexus.run("db", "migrate").returncode == 0
    options = zip(("--service", "--producer", "--operator"), names, strict=True)
    statements = nexus.run("db", "roles", *(word for pair in options for word in pair)).stdout
    for _ in range(2):  # safe to repeat
        query(database_url, statements)
    try:
        yield tuple(  # type: ignore[misc]
            database_url.replace("postgres@", f"{role}@", 1) for role in names
        )
    finally:
        query(database_url, f"DROP OWNED BY {', '.join(names)}")
        query(database_url, f"DROP ROLE {', '.join(names)}")
