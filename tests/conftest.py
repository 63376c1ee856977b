"""Fixtures for all tests."""

import gc
import logging
from collections.abc import Generator, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.postgres import database_url, empty_database_url, postgres_server
from tests.zygote import Zygote

__all__ = ["database_url", "empty_database_url", "postgres_server"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("nexus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nexus")

# A line for every answered request would bury what a failing test has to say.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What the commands of this worker's tests are forked from."""
    process = Zygote()
    yield process
    process.close()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and keep what was collected out of its sight.

    Ten thousand tests are some millions of objects that stay to the end: to look through them again
    and again is half of what collecting costs each worker, and a part of what each test does.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
