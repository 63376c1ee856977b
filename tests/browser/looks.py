"""A page of the browser, and all that went wrong on it."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from nexus_actors.dashboard.pages import PAGES

AXE: Final = (Path(__file__).parent / "axe.min.js").read_text()
PATHS: Final = tuple(page.path for page in PAGES if "{" not in page.path)
"""Every page that has no part in its path."""
_REQUEST = """
SELECT {} || request_id FROM nexus.requests WHERE attempts > 1 ORDER BY finished_at DESC LIMIT 1
"""
_LETTER = "SELECT {} || min(msg_id) FROM pgmq.q_ai_requests_dead HAVING count(*) > 0"
QUERIED: Final = {
    "/request": _REQUEST.format("'/request?id='"),
    "/request/messages": _REQUEST.format("'/request/messages?id='"),
    "/letter": _LETTER.format("'/letter?number='"),
    "/letter/request": _LETTER.format("'/letter/request?number='"),
}
"""Pages that are of nothing without a query; SQL that gives their paths."""
ACTOR: Final = (
    "SELECT '/tree?actor=Router&node=' || node FROM nexus.node_states WHERE state = 'ready'"
)
SHOWN: Final = (*(QUERIED.get(it, it) for it in PATHS), ACTOR)
"""All that can be looked at: paths, and SQL that gives them."""
_LISTEN: Final = """
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(
    `${e.violatedDirective}: ${e.blockedURI} ${e.sample}`));
"""


@dataclass(slots=True)
class Eyes:
    """A page, what it complained of, and where it is at home."""

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)
    """Errors and warnings of its console, exceptions of its scripts, dialogs."""

    def open(self, path: str) -> int:
        """Go there; the status."""
        answer = self.page.goto(self.base + path)
        assert answer is not None
        return answer.status

    def log_in(self, token: str) -> None:
        """By the form."""
        self.open("/login")
        self.page.get_by_label("Your token").fill(token)
        self.page.get_by_role("button", name="Log in").click()

    def check(self) -> None:
        """Nothing went wrong, and nothing was against the policy."""
        assert self.wrong == []
        assert self.page.evaluate("window.violations || []") == []

    def axe(self) -> list[str]:
        """What axe-core finds wrong with the page as it stands: the rule and where."""
        self.page.evaluate(AXE)
        found: dict[str, Any] = self.page.evaluate("axe.run(document)")
        return [
            f"{it['id']}: {it['help']}: {node['target']} {node['html'][:200]}"
            for it in found["violations"]
            for node in it["nodes"][:3]
        ]


def chromium() -> str | None:
    """Where the system has it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for it in names if (found := shutil.which(it))), None)


@contextmanager
def open_browser(path: str) -> Iterator[Browser]:
    """Chromium without a window."""
    # Playwright asks asyncio for a loop. What trio-asyncio would give it cannot be used in turns.
    policy = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    try:
        playwright = sync_playwright().start()
    finally:
        asyncio.set_event_loop_policy(policy)
    try:
        # As root it has no sandbox; it sees nothing but our own pages.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
    finally:
        playwright.stop()


@contextmanager
def look(browser: Browser, base: str, **options: Any) -> Iterator[Eyes]:
    """A page in a window of its own. `options`: Playwright's of a context."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    context.add_init_script(_LISTEN)
    page = context.new_page()
    eyes = Eyes(page, base)

    def console(message: Any) -> None:
        if message.type in ("error", "warning"):
            eyes.wrong.append(f"console {message.type}: {message.text}")

    def dialog(it: Any) -> None:
        eyes.wrong.append(f"dialog: {it.message}")
        it.dismiss()

    page.on("console", console)
    page.on("pageerror", lambda error: eyes.wrong.append(f"script: {error}"))
    page.on("dialog", dialog)
    try:
        yield eyes
    finally:
        context.close()
