"""`make pictures`: the pictures of docs/dashboard.md, of a seeded service.

    python -m tests.browser.pictures [--sheet FOLDER] [--state NAME] [--page PATH]

With `--sheet`: every page in every state, 390 and 1440 pixels wide, light and dark, into FOLDER.
"""

import argparse
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser

from tests.browser.bases import database, short_folder
from tests.browser.looks import SHOWN, chromium, look, open_browser
from tests.browser.seed import fill
from tests.browser.site import ROOT, Site, running_site
from tests.browser.states import STATES, State, in_state
from tests.postgres import running_server

PICTURES: Final = ROOT / "docs" / "pictures"
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
SETTLED: Final = 12.0
"""Seconds of work before anybody looks."""
_NAMED: Final = """
name => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll(name, 'fra-2');
}
"""
"""This machine has another name in pictures."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One of the documentation's."""

    name: str
    state: str
    path: str
    """Or SQL that gives it."""
    scheme: Literal["light", "dark"] = "light"
    width: int = 1440
    height: int = 900


WANTED: Final = (
    Picture("overview", "busy", "/"),
    Picture(
        "request",
        "busy",
        "SELECT '/request?id=' || request_id FROM nexus.requests"
        " WHERE state = 'done' AND attempts = 2 AND cost > 0.004 ORDER BY msg_id DESC LIMIT 1",
    ),
    Picture("tree", "degraded", "/tree", scheme="dark"),
    Picture("slow", "degraded", "/slow", width=390, height=844),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """How it is taken."""

    file: Path
    scheme: Literal["light", "dark"]
    width: int
    height: int


@contextmanager
def served(server: str, state: State) -> Iterator[Site]:
    """The service in that state, at work for a while."""
    with database(server, "picture") as url, short_folder() as folder:
        fill(url, state.plan)
        with (
            running_site(folder, url, toml=state.toml, tokens=False) as site,
            in_state(site, state),
        ):
            time.sleep(SETTLED)
            yield site


def shoot(
    browser: Browser, site: Site, path: str, shots: Sequence[Shot], *, full: bool = False
) -> None:
    """Pictures of one page."""
    with look(browser, site.base, timezone_id="UTC") as eyes:
        eyes.open(path)
        # What is live has to come once, and to be asked of a node before that.
        eyes.page.wait_for_timeout(2_500)
        for shot in shots:
            eyes.page.emulate_media(color_scheme=shot.scheme)
            eyes.page.set_viewport_size({"width": shot.width, "height": shot.height})
            eyes.page.evaluate(_NAMED, socket.gethostname())
            eyes.page.screenshot(path=shot.file, full_page=full)
            print(shot.file, shot.file.stat().st_size)  # noqa: T201 - a program
        for wrong in eyes.wrong:
            print("   ", wrong)  # noqa: T201 - a program


def take(browser: Browser, server: str) -> None:
    """Those of the documentation."""
    PICTURES.mkdir(exist_ok=True)
    for state in STATES:
        wanted = [it for it in WANTED if it.state == state.name]
        if not wanted:
            continue
        with served(server, state) as site:
            for it in wanted:
                path = it.path if it.path.startswith("/") else site.value(it.path)
                file = PICTURES / f"{it.name}.png"
                shoot(browser, site, path, [Shot(file, it.scheme, it.width, it.height)])


def sheet(browser: Browser, server: str, folder: Path, names: list[str], paths: list[str]) -> None:
    """Every page in every state, each as wide as a phone and as a desk."""
    folder.mkdir(parents=True, exist_ok=True)
    for state in STATES:
        if names and state.name not in names:
            continue
        with served(server, state) as site:
            for path in paths or pages(site):
                plain = path.strip("/").partition("?")[0].replace("/", "-") or "overview"
                plain += "-actor" * ("actor=" in path)
                shots = [
                    Shot(folder / f"{plain}-{state.name}-{width}-{scheme}.png", scheme, width, 900)
                    for width in (1440, 390)
                    for scheme in SCHEMES
                ]
                shoot(browser, site, path, shots, full=True)


def pages(site: Site) -> list[str]:
    """All that there is something of."""
    found = []
    for shown in SHOWN:
        rows = [{"": shown}] if shown.startswith("/") else site.rows(shown)
        found += [next(iter(row.values())) for row in rows]
    return found


def main() -> int:
    """1 where there is no Chromium."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sheet", type=Path, metavar="FOLDER")
    parser.add_argument("--state", action="append", default=[], choices=[it.name for it in STATES])
    parser.add_argument("--page", action="append", default=[], metavar="PATH")
    asked = parser.parse_args()
    path = chromium()
    if path is None:
        print("no Chromium here (Debian: apt-get install chromium)")  # noqa: T201 - a program
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="nexus-p-") as folder,
        running_server(Path(folder)) as server,
        open_browser(path) as browser,
    ):
        if asked.sheet is None:
            take(browser, server)
        else:
            sheet(browser, server, asked.sheet, asked.state, asked.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
