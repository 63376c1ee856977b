"""Pages of the dashboard as a browser gets them, without HTTP: read, rendered, and looked through
for what a stranger's text must not do.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import pytest
import trio

from nexus_actors.dashboard.pages import PAGES
from nexus_actors.dashboard.rendering import Templates
from nexus_actors.dashboard.visit import Role, View, Viewer, Visit
from nexus_actors.monitoring.reading import Reader
from nexus_actors.settings import parse_settings
from nexus_actors.settings.model import Settings
from tests.postgres import TEMPLATE, new_database

HOSTILE = "<img src=x onerror=alert(1)>'\"&lt;\x1b[31m\u202e"
"""HTML, an attribute's end, a terminal's escape, a turn of direction."""
CONFIG = {
    "providers": {"echo": {"kind": "echo"}},
    "routes": [{"complexity": "*", "task_type": "*", "models": ["echo/echo-1"]}],
}
_UNSEEN = ("\x1b", "\u202e", "\0")
_LARGEST = 1_000_000
"""Characters of a page, whatever it shows."""


@pytest.fixture(scope="module")
def shared_url(postgres_server: str, worker_id: str) -> Iterator[str]:
    """A database of this file's tests, migrated: each begins with the tables it names emptied."""
    with new_database(postgres_server, worker_id, TEMPLATE) as url:
        yield url


def settings(changes: Mapping[str, object] | None = None) -> Settings:
    """Those of a small config, changed."""
    made = parse_settings({**CONFIG, **(changes or {})}, {})
    assert isinstance(made, Settings)
    return made


async def visited(
    reader: Reader,
    url: str,
    *,
    config: Settings | None = None,
    role: Role = "operate",
    now: datetime | None = None,
) -> tuple[View, str]:
    """What the page at `url` gives, and its HTML: harmless and within bounds, or an error. Its live
    block is rendered by itself, too."""
    parts = urlsplit(url)
    [page] = [it for it in PAGES if it.path == parts.path]
    visit = Visit(
        path=parts.path,
        query=dict(parse_qsl(parts.query)),
        viewer=Viewer("joe", role),
        reader=reader,
        settings=config or settings(),
        now=now or datetime.now(UTC),
    )
    view = await page.show(visit)
    frame = {
        "title": view.title,
        "service": "nexus",
        "navigation": [it for it in PAGES if it.label is not None],
        "section": page.path,
        "path": page.path,
        "here": url,
        "viewer": visit.viewer,
        "signed_in": True,
        "form_token": "token",
        "live": "/live" if page.live else "",
        "now": visit.now,
        "message": "",
    }
    values = {**view.values, **frame}
    html = (await _templates().page(view.template, values)).decode()
    check_harmless(html)
    if page.live:
        check_harmless(await _templates().live(view.template, values))
    return view, html


def check_harmless(html: str) -> None:
    """No element and no attribute of a stranger's, nothing unseen, no more than a page may be."""
    assert len(html) <= _LARGEST
    assert not [it for it in _UNSEEN if it in html]
    finder = _Finder()
    finder.feed(html)
    assert not finder.found


class _Finder(HTMLParser):
    """Elements that no template has, and attributes that the policy of content forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        if tag in ("img", "style", "iframe", "object"):
            self.found.append(tag)
        if tag == "script" and dict(attrs).get("src") != "/static/nexus.js":
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name.startswith("on") or name == "style"]


@cache
def _templates() -> Templates:
    return Templates()


async def execute(url: str, statement: str, *arguments: object) -> None:
    """A statement as the owner of the database; without arguments it may be several."""
    await trio.to_thread.run_sync(asyncio.run, _execute(url, statement, arguments))


async def value(url: str, statement: str, *arguments: object) -> Any:
    """The only value of a statement, as the owner of the database."""
    return await trio.to_thread.run_sync(asyncio.run, _value(url, statement, arguments))


async def _execute(url: str, statement: str, arguments: tuple[object, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, *arguments)
    finally:
        connection.terminate()


async def _value(url: str, statement: str, arguments: tuple[object, ...]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        connection.terminate()
