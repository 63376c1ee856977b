"""A real Chromium, a service with something to look at, and a page that nothing may go wrong on."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.bases import database, short_folder
from tests.browser.looks import Eyes, chromium, look, open_browser
from tests.browser.seed import Plan, fill, fill_hostile
from tests.browser.site import TOKENS, Site, running_site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with open_browser(path) as browser:
        yield browser


@pytest.fixture(scope="session")
def site(postgres_server: str, worker_id: str) -> Iterator[Site]:
    """One service for all tests, on a database with some history."""
    with database(postgres_server, worker_id) as url, short_folder() as folder:
        fill(url, Plan(rows=3_000, days=2, failed=0.05, letters=20, waiting=40, nodes=True))
        with running_site(folder, url) as site:
            yield site


@pytest.fixture(scope="session")
def hostile_site(postgres_server: str, worker_id: str) -> Iterator[Site]:
    """One whose database is full of texts that mean harm."""
    with database(postgres_server, worker_id) as url, short_folder() as folder:
        fill_hostile(url)
        with running_site(folder, url) as site:
            yield site


@pytest.fixture
def eyes(browser: Browser, site: Site) -> Iterator[Eyes]:
    """A page, logged in as who may operate. What goes wrong on it fails the test."""
    with look(browser, site.base) as eyes:
        eyes.log_in(TOKENS["olga"][1])
        yield eyes
        eyes.check()
