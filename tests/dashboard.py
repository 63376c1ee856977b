"""The dashboard on a real database as a browser sees it, without a server. Each page is looked
through for what a stranger's text must not do."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlencode

import asyncpg
import pytest
import trio

from nexus_actors.dashboard.app import Dashboard
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.dashboard.visit import Role
from nexus_actors.monitoring.reading import LazyReader, open_reader
from nexus_actors.storage.postgres.connection import fetch
from nexus_actors.storage.postgres.sql import Queues
from tests.asgi import Answer, ask
from tests.postgres import TEMPLATE, new_database
from tests.unit.parts import settings

HOSTILE: Final = "<img src=x onerror=alert(1)>'\"&lt;\x1b[31m\u202e"
"""HTML, an attribute's end, a terminal's escape, and what turns the direction of text."""
ECHO: Final[Mapping[str, Any]] = {
    "providers": {"echo": {"kind": "echo"}},
    "routes": [{"complexity": "*", "task_type": "*", "models": ["echo/echo-1"]}],
}
_UNSEEN: Final = ("\x1b", "\u202e", "\0")
_LARGEST: Final = 1_500_000
"""Characters of a page, whatever it shows."""
_HEADERS: Final = {"host": "127.0.0.1"}
_IN_FIELDS: Final = re.compile(r'value="[^"]*"')
"""What fields of forms hold: a form sends it back as it is."""


@pytest.fixture(scope="module")
def shared_url(postgres_server: str, worker_id: str) -> Iterator[str]:
    """A database of this file's tests, migrated, with the default queues: each test begins with
    the tables it names emptied."""
    with new_database(postgres_server, worker_id, TEMPLATE) as url:
        yield url


@dataclass(slots=True)
class Browser:
    """Somebody at this machine."""

    dashboard: Dashboard
    reader: LazyReader

    async def get(self, path: str, /, **query: object) -> Answer:
        """A page."""
        given = urlencode(query)
        answer = await ask(self.dashboard, f"{path}?{given}" if given else path, headers=_HEADERS)
        check_harmless(answer.text)
        return answer

    async def act(self, name: str, /, **fields: object) -> Answer:
        """Do it, by the form that asks for it; what the page says to which that leads."""
        shown = await self.get(f"/act/{name}", **fields)
        token = re.search(r'name="token" value="([^"]+)"', shown.text)
        assert token is not None, shown.words
        form = {**fields, "token": token[1]}
        done = await ask(self.dashboard, f"/act/{name}", headers=_HEADERS, form=form)
        check_harmless(done.text)
        return await self.get(done.headers["location"]) if done.status == 303 else done

    async def sql(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Plain SQL, beside the dashboard."""
        rows = await self.reader.writing(fetch, statement, *arguments)
        return [dict(row) for row in rows]


def browser_of(reader: LazyReader, **sections: Mapping[str, Any]) -> Browser:
    """By default it may act, and see messages. `sections`: of the config."""
    config = settings(**{"dashboard": {"loopback": "operate", "show_messages": True}, **sections})
    return Browser(Dashboard(lambda: config, reader, Attempts()), reader)


@asynccontextmanager
async def open_browser(url: str, **sections: Mapping[str, Any]) -> AsyncIterator[Browser]:
    """Before the database of this URL."""
    async with open_reader(url, Queues(), command_timeout=30) as reader:
        yield browser_of(reader, **sections)


async def visited(
    reader: LazyReader,
    url: str,
    *,
    status: int = 200,
    role: Role = "operate",
    **sections: Mapping[str, Any],
) -> str:
    """The HTML at `url` of a service that has only the provider `echo`."""
    browser = browser_of(reader, **{**ECHO, "dashboard": {"loopback": role}, **sections})
    answer = await browser.get(url)
    assert answer.status == status, answer.words
    return answer.text


def check_harmless(html: str) -> None:
    """No element and no attribute of a stranger's, nothing unseen, no more than a page may be."""
    assert len(html) <= _LARGEST
    seen = _IN_FIELDS.sub("", html)
    assert not [it for it in _UNSEEN if it in seen]
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


async def execute(url: str, statement: str, *arguments: object) -> None:
    """A statement as the owner of the database; without arguments it may be several."""
    await trio.to_thread.run_sync(asyncio.run, _asked(url, "execute", statement, arguments))


async def value(url: str, statement: str, *arguments: object) -> Any:
    """The only value of a statement, as the owner of the database."""
    return await trio.to_thread.run_sync(asyncio.run, _asked(url, "fetchval", statement, arguments))


async def _asked(url: str, how: str, statement: str, arguments: tuple[object, ...]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await getattr(connection, how)(statement, *arguments)
    finally:
        connection.terminate()
