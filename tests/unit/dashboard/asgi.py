"""The dashboard without a server and without a database: its reader gives prepared answers."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import trio

from nexus_actors.dashboard.app import Dashboard
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.monitoring.reading import LazyReader, Row
from nexus_actors.settings import Settings, SettingsErrors, parse_settings
from nexus_actors.storage.postgres.sql import Queues
from tests.asgi import LOCAL, Answer, ask
from tests.unit.parts import settings

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
        """As `tests.asgi.ask`, of this site."""
        return await ask(
            self.app,
            path,
            headers={"host": HOST, **(headers or {})},
            form=form,
            body=body,
            peer=peer,
            receive=receive,
        )

    async def token(self, path: str, **more: Any) -> str:
        """What the form of a page sends along."""
        answer = await self.ask(path, **more)
        return answer.text.split('name="token" value="')[1].partition('"')[0]
