"""Texts of strangers that mean harm: seen as they are, and nothing but seen."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.looks import PATHS, Eyes, look
from tests.browser.seed import HOSTILE
from tests.browser.site import TOKENS, Site

UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\x1b\x07]")
"""What turns the direction of what follows, or steers a terminal."""
FOREIGN = """
() => [...document.querySelectorAll('img, iframe, object, embed, style, i, script')]
    .map(it => it.outerHTML.slice(0, 200))
"""
NAMED = """
() => [...document.querySelectorAll('*')].flatMap(it => [...it.attributes])
    .filter(it => it.name.startsWith('on')
        || it.name !== 'title' && it.name !== 'value' && /^\\s*javascript:/i.test(it.value))
    .map(it => it.name + '=' + it.value.slice(0, 200))
"""
SHOWN = """
() => document.documentElement.textContent
    + [...document.querySelectorAll('[title], [aria-label]')]
        .map(it => it.title + it.getAttribute('aria-label')).join()
"""
LARGEST = 3_000_000
"""Characters of a page, whatever it shows."""


def paths(site: Site) -> Iterator[str]:
    """All pages, those of hostile requests, letters, nodes, actors and acts among them."""
    yield from PATHS
    for row in site.rows("SELECT request_id FROM nexus.requests"):
        yield f"/request?id={quote(row['request_id'], safe='')}"
    for row in site.rows("SELECT msg_id FROM pgmq.q_ai_requests_dead"):
        yield f"/letter?number={row['msg_id']}"
        yield f"/letter/request?number={row['msg_id']}"
        yield f"/act/edit?number={row['msg_id']}"
    for row in site.rows("SELECT node FROM nexus.nodes"):
        yield f"/tree?node={quote(row['node'], safe='')}"
    for text in HOSTILE:
        told = quote(text, safe="")
        yield f"/requests?agent={told}&model={told}&error={told}"
        yield f"/requests?id={told}"
        yield f"/letters?reason={told}&provider={told}"
        yield f"/audit?by={told}&action={told}"
        yield f"/tree?node={told}&actor={told}"
        yield f"/act/pause?subject=agent&name={told}&why={told}&back={told}"
        yield f"/act/{told}"
        yield f"/{told}"


@pytest.fixture
def hostile(browser: Browser, hostile_site: Site) -> Iterator[Eyes]:
    """A page of it."""
    with look(browser, hostile_site.base) as eyes:
        eyes.log_in(TOKENS["olga"][1])
        yield eyes


def test_it_shows_escaped_everywhere(hostile: Eyes, hostile_site: Site) -> None:
    for path in paths(hostile_site):
        status = hostile.open(path)
        assert status in (200, 400, 404), (path, status)
        page = hostile.page
        own = [it for it in page.evaluate(FOREIGN) if "/static/nexus.js" not in it]
        assert own == [], path
        assert page.evaluate(NAMED) == [], path
        assert page.evaluate("window.pwned") is None, path
        shown = page.evaluate(SHOWN)
        assert not UNSEEN.search(shown), (path, UNSEEN.search(shown))
        assert len(page.content()) < LARGEST, path
        assert page.evaluate("window.violations") == [], path
        told = [it for it in hostile.wrong if "Failed to load resource" not in it]
        assert told == [], path
        hostile.wrong.clear()


def test_what_is_live_is_escaped_too(hostile: Eyes) -> None:
    for path in ("/", "/requests", "/slow", "/letters", "/control", "/tree", "/money"):
        hostile.open(path)
        expect(hostile.page.locator("#liveness-state")).to_have_text("live, as of")
        own = [it for it in hostile.page.evaluate(FOREIGN) if "/static/nexus.js" not in it]
        assert own == [], path
        assert hostile.page.evaluate("window.pwned") is None
        assert not UNSEEN.search(hostile.page.evaluate(SHOWN)), path
    hostile.check()
