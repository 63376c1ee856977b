"""A user with a folder of their own, who must leave no process behind."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus import Nexus, query


@pytest.fixture
def nexus() -> Iterator[Nexus]:
    """The `nexus` command; afterwards no process of it may live."""
    # Not below pytest's folder: it is private to its user, and an embedded server is another one
    # where the tests run as root. And short, for sockets' sake.
    folder = Path(tempfile.mkdtemp(prefix="nexus-at-"))
    user = Nexus(folder, uuid.uuid4().hex)
    try:
        yield user
        user.end()
        user.wait_all_gone()
    finally:
        user.end()
        user.kill_left_over()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def roles(nexus: Nexus, database_url: str) -> Iterator[tuple[str, str]]:
    """URLs of the service and of the producer."""
    service, producer = (f"{name}_{uuid.uuid4().hex[:8]}" for name in ("service", "producer"))
    nexus.configure(url=database_url)
    assert nexus.run("db", "migrate").returncode == 0
    statements = nexus.run("db", "roles", "--service", service, "--producer", producer).stdout
    for _ in range(2):  # safe to repeat
        query(database_url, f"DO $do$ BEGIN EXECUTE $sql${statements}$sql$; END $do$")
    try:
        yield tuple(  # type: ignore[misc]
            database_url.replace("postgres@", f"{role}@", 1) for role in (service, producer)
        )
    finally:
        query(database_url, f"DROP OWNED BY {service}, {producer}")
        query(database_url, f"DROP ROLE {service}, {producer}")
