"""One service, for the commands and the clients of all pages."""

from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import nexus
from tests.docs.sandbox import Sandbox, open_sandbox
from tests.postgres import TEMPLATE, new_database
from tests.zygote import Zygote

__all__ = ["nexus"]


@pytest.fixture(scope="package")
def sandbox(postgres_server: str, worker_id: str, zygote: Zygote) -> Iterator[Sandbox]:
    """The service that the pages' commands run against. It ends with the last test of this folder:
    an idle one, to the end of all tests, would cost more than all that the pages do with it."""
    with (
        new_database(postgres_server, worker_id, TEMPLATE) as url,
        open_sandbox(url, zygote) as it,
    ):
        yield it
