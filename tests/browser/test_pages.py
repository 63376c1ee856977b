"""Every page opens with nothing wrong on it: for eyes and for ears, on a phone, without scripts."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.looks import SHOWN, Eyes, look
from tests.browser.site import TOKENS, Site

AUDIBLE = Path(__file__).parent / "overview.aria.yml"


def path_of(site: Site, shown: str) -> str:
    """One of `SHOWN`, as a path."""
    return shown if shown.startswith("/") else str(site.value(shown))


@pytest.mark.parametrize("shown", SHOWN)
def test_a_page_opens_with_nothing_wrong(browser: Browser, site: Site, shown: str) -> None:
    path = path_of(site, shown)
    with look(browser, site.base) as eyes:
        eyes.log_in(TOKENS["olga"][1])
        assert eyes.open(path) == 200
        for scheme in ("light", "dark"):
            eyes.page.emulate_media(color_scheme=scheme)
            assert eyes.axe() == [], path
        # A page that is live has come once more by now, and stands as it did.
        if eyes.page.locator("#liveness").count():
            expect(eyes.page.locator("#liveness-state")).to_have_text("live, as of")
        eyes.page.set_viewport_size({"width": 390, "height": 844})
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert eyes.page.evaluate(wide) <= 0, path
        # As wide as the 1440 pixels of a desk at 200 %.
        eyes.page.set_viewport_size({"width": 720, "height": 450})
        assert eyes.page.evaluate(wide) <= 0, path
        eyes.check()


def test_all_is_there_without_scripts(browser: Browser, site: Site) -> None:
    with look(browser, site.base, java_script_enabled=False) as eyes:
        eyes.log_in(TOKENS["olga"][1])
        for shown in SHOWN:
            assert eyes.open(path_of(site, shown)) == 200
            expect(eyes.page.get_by_role("heading", level=1)).to_be_visible()
        eyes.open("/act/pause?subject=provider&name=openai&back=/control")
        eyes.page.get_by_role("button", name="Pause", exact=True).click()
        expect(eyes.page.locator("p.message")).to_be_visible()
        site.rows("SELECT nexus.resume('provider', 'openai')")


def test_a_filter_narrows_and_its_pages_go_deep(eyes: Eyes, site: Site) -> None:
    eyes.open("/requests?window=week&state=done")
    eyes.page.locator("nav.facets summary", has_text="Agent").click()
    eyes.page.locator("nav.facets").get_by_role("link", name="agent-00").click()
    count = site.value(
        "SELECT count(*) FROM nexus.requests WHERE agent_id = 'agent-00' AND state = 'done'"
    )
    expect(eyes.page.get_by_role("heading", level=2, name="found")).to_have_text(f"{count:,} found")
    seen: list[str] = []
    for _ in range(4):
        rows = eyes.page.locator("#found tbody th").all_inner_texts()
        assert not set(rows) & set(seen)
        seen += rows
        eyes.page.get_by_role("link", name="Next page").click()
    assert len(seen) == 200
    eyes.page.get_by_role("link", name="First page").click()
    expect(eyes.page.locator("#found tbody th").first).to_have_text(seen[0])


def test_the_overview_reads_aloud_as_it_did(eyes: Eyes) -> None:
    """Its accessibility tree: numbers and times are left open in the stored one."""
    eyes.open("/")
    expect(eyes.page.locator("#liveness-state")).to_have_text("live, as of")
    stored = AUDIBLE.read_text()
    expect(eyes.page.locator("body")).to_match_aria_snapshot(stored)
