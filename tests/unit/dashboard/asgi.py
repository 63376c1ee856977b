"""The dashboard's application without a server, and without a database: a reader that is told what
to answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import trio

from nexus_actors.dashboard.app import Dashboard
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.monitoring.reading import LazyReader, Row
from nexus_actors.settings import Settings, SettingsErrors, parse_settings
from nexus_actors.storage.postgres.sql import Queues
from tests.unit.parts import settings

LOCAL: Final = "127.0.0.1"
HOST: Final = "127.0.0.1:9464"


TOKEN: Final = "a-token-of-enough-letters"  # noqa: S105


def with_tokens(folder: Path, **roles: str) -> Settings:
    tokens = {}
    for name, role in roles.items():
        file = folder / name
        file.write_text(f"{name}-{TOKEN}\n")
        file.chmod(0o600)
        tokens[name] = {"role": role, "token_file": str(file)}
    found = parse_settings({"dashboard": {"tokens": tokens}}, {})
    assert not isinstance(found, SettingsErrors), found
    return found


class FakeReader(LazyReader):
    """Answers each statement by its name; one that it does not know has no rows."""

    def __init__(self) -> None:
        super().__init__(lambda: None, Queues(), command_timeout=1.0)
        self.rows: dict[str, list[Row] | Exception] = {}
        """What is answered; an exception is raised."""
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    async def read(self, name: str, *arguments: object) -> list[Row]:
        return await self.act(name, *arguments)

    async def act(self, name: str, *arguments: object) -> list[Row]:
        await trio.lowlevel.checkpoint()
        self.asked.append((name, arguments))
        found = self.rows.get(name, [])
        if isinstance(found, Exception):
            raise found
        return found

    def arguments(self, name: str) -> list[tuple[object, ...]]:
        """With what a statement was asked, each time."""
        return [it for asked, it in self.asked if asked == name]


@dataclass(slots=True)
class Answer:
    """To one request."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cookie(self) -> str:
        """What a browser would send back."""
        return self.headers["set-cookie"].partition(";")[0]


class Site:
    """A dashboard, and whoever asks it."""

    def __init__(self, config: Settings | None = None, **dashboard: Any) -> None:
        self.settings = settings(dashboard=dashboard) if config is None else config
        self.reader = FakeReader()
        self.app = Dashboard(lambda: self.settings, self.reader, Attempts())

    async def ask(
        self,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        peer: str | None = LOCAL,
        body: bytes | None = None,
        receive: Callable[[], Awaitable[Any]] | None = None,
    ) -> Answer:
        """GET; or POST of a form or body. `receive`: by which that comes instead."""
        sent = {"host": HOST, **(headers or {})}
        if form is not None:
            body = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET" if body is None else "POST",
            "scheme": "http",
            "path": path,
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": None if peer is None else (peer, 4711),
            "server": None,
            "state": {},
        }
        return await ask(self.app, scope, body or b"", receive)

    async def token(self, path: str, **more: Any) -> str:
        """What the form of a page sends along."""
        answer = await self.ask(path, **more)
        return answer.text.split('name="token" value="')[1].partition('"')[0]


async def ask(
    app: Callable[..., Awaitable[None]],
    scope: Any,
    body: bytes,
    receive: Callable[[], Awaitable[Any]] | None = None,
) -> Answer:
    """One request to an ASGI application."""
    answer = Answer()
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_body() -> Any:
        if not parts:
            await trio.sleep_forever()
        return parts.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {it.decode(): value.decode() for it, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive or receive_body, send)
    return answer
