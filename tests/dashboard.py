"""The dashboard as a browser asks for it, without a server: one ASGI call a request."""

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from nexus_actors.dashboard.app import Dashboard
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.monitoring.reading import LazyReader, open_reader
from nexus_actors.settings.model import Settings
from nexus_actors.storage.postgres.connection import fetch
from nexus_actors.storage.postgres.sql import Queues
from tests.unit.parts import settings

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\"'&"
"""HTML, a terminal's escape, and what turns the direction of text."""
UNSEEN = ("<script>alert", "\x1b", "\u202e")
"""None of these may be in a page."""


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def words(self) -> str:
        """The text of a page, on one line."""
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.body)))


@dataclass(slots=True)
class Browser:
    """Somebody at this machine."""

    dashboard: Dashboard
    reader: LazyReader
    headers: dict[str, str] = field(default_factory=lambda: {"host": "127.0.0.1"})

    async def get(self, path: str, /, **query: object) -> Answer:
        """A page."""
        given = urlencode(query)
        return await self._ask("GET", f"{path}?{given}" if given else path, b"")

    async def act(self, name: str, /, **fields: object) -> Answer:
        """Do it, by the form that asks for it; what the page says to which that leads."""
        shown = await self.get(f"/act/{name}", **fields)
        token = re.search(r'name="token" value="([^"]+)"', shown.body)
        assert token is not None, shown.words
        body = urlencode({**fields, "token": token[1]}).encode()
        done = await self._ask("POST", f"/act/{name}", body)
        return await self.get(done.headers["location"]) if done.status == 303 else done

    async def sql(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Plain SQL, beside the dashboard."""
        rows = await self.reader.writing(fetch, statement, *arguments)
        return [dict(row) for row in rows]

    async def _ask(self, method: str, path: str, body: bytes) -> Answer:
        parts = urlsplit(path)
        kind = {"content-type": "application/x-www-form-urlencoded"} if body else {}
        headers = {**self.headers, **kind}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 80),
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.dashboard(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        text = b"".join(it.get("body", b"") for it in sent[1:]).decode()
        return Answer(sent[0]["status"], found, text)


@asynccontextmanager
async def open_browser(url: str, **sections: Mapping[str, Any]) -> AsyncIterator[Browser]:
    """Before the database of this URL; by default it may act, and see messages. `sections`: of the
    config."""
    told: dict[str, Any] = {"dashboard": {"loopback": "operate", "show_messages": True}}
    config: Settings = settings(**{**told, **sections})
    async with open_reader(url, Queues(), command_timeout=30) as reader:
        yield Browser(Dashboard(lambda: config, reader, Attempts()), reader)
