"""Who gets in, and who may do what."""

from playwright.sync_api import Browser, expect

from tests.browser.looks import look
from tests.browser.site import TOKENS, Site


def test_a_wrong_token_is_refused_and_the_right_one_lets_in(browser: Browser, site: Site) -> None:
    with look(browser, site.base) as eyes:
        eyes.log_in("not-the-token-at-all")
        expect(eyes.page.get_by_role("alert")).to_be_visible()
        assert eyes.axe() == []
        # The answer to a wrong token is an error of the network to the console.
        assert all("401" in it or "403" in it for it in eyes.wrong)
        eyes.wrong.clear()
        eyes.page.get_by_label("Your token").fill(TOKENS["olga"][1])
        eyes.page.get_by_role("button", name="Log in").click()
        expect(eyes.page.get_by_role("heading", level=1)).to_have_text("Overview")
        eyes.page.get_by_role("button", name="Log out").click()
        eyes.page.goto(site.base + "/")
        expect(eyes.page.get_by_label("Your token")).to_be_visible()


def test_who_may_only_look_is_told_so(browser: Browser, site: Site) -> None:
    with look(browser, site.base) as eyes:
        eyes.log_in(TOKENS["rob"][1])
        assert eyes.open("/act/pause?subject=provider&name=groq") == 403
        expect(eyes.page.get_by_role("button", name="Pause")).to_have_count(0)
