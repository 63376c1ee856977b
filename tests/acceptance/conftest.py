"""A user with a folder of their own, who must leave no process behind."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus import Nexus


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
