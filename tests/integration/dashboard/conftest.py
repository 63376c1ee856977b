"""A database for all tests of a file."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.dashboard import Browser, open_browser
from tests.postgres import TEMPLATE, new_database


@pytest.fixture(scope="module")
def eyes_url(postgres_server: str, worker_id: str) -> Iterator[str]:
    """Migrated, with the default queues."""
    with new_database(postgres_server, worker_id, TEMPLATE) as url:
        yield url


@pytest.fixture
async def browser(eyes_url: str) -> AsyncIterator[Browser]:
    """Before that database, with nothing in it."""
    async with open_browser(eyes_url) as browser:
        await browser.sql("DELETE FROM nexus.control")
        await browser.sql("TRUNCATE nexus.requests, nexus.audit, nexus.control_log CASCADE")
        for queue in ("ai_requests", "ai_requests_dead"):
            await browser.sql("SELECT pgmq.purge_queue($1)", queue)
        yield browser
