"""A database for all tests of a file."""

from collections.abc import AsyncIterator

import pytest

from tests.dashboard import Browser, open_browser, shared_url

__all__ = ["shared_url"]


@pytest.fixture
async def browser(shared_url: str) -> AsyncIterator[Browser]:
    """Before that database, with nothing in it."""
    async with open_browser(shared_url) as browser:
        await browser.sql("DELETE FROM nexus.control")
        await browser.sql("TRUNCATE nexus.requests, nexus.audit, nexus.control_log CASCADE")
        for queue in ("ai_requests", "ai_requests_dead"):
            await browser.sql("SELECT pgmq.purge_queue($1)", queue)
        yield browser
