"""A reader of this file's database, and what the tests of pages share."""

from collections.abc import AsyncIterator

import pytest

from nexus_actors.monitoring.reading import LazyReader, open_reader
from nexus_actors.storage.postgres.sql import Queues
from tests.dashboard import shared_url

__all__ = ["shared_url"]


@pytest.fixture
async def reader(shared_url: str) -> AsyncIterator[LazyReader]:
    """As the dashboard has it, with the owner's rights."""
    async with open_reader(shared_url, Queues(), command_timeout=10) as made:
        yield made
