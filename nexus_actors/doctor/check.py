"""What a check is, and what it is given. By that it is known what it needs: the config file, the
settings in it, the database."""

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, TypeVarTuple, Unpack

import trio

from nexus_actors.doctor.finding import Finding
from nexus_actors.settings import Settings, SettingsErrors
from nexus_actors.storage.postgres.connection import PostgresPool
from nexus_actors.storage.postgres.sql import Queues


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an examination begins with."""

    config: Path | None = None
    """As `load_settings` takes it."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    offline: bool = False
    """No provider is called."""
    patience: float = 5.0
    """Seconds that each check may take."""
    now: Callable[[], float] = time.time
    """This host's clock, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The config was read."""

    given: Given
    loaded: Settings | SettingsErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The config was read, and is right."""

    given: Given
    settings: Settings

    @property
    def data_dir(self) -> Path:
        """Where the service keeps its files."""
        return self.settings.service.data_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Installation):
    """The database can be reached, and gives each connection a session of its own."""

    pool: PostgresPool
    queues: Queues
    where: str
    """Host, port and database."""


T = TypeVar("T")
Ts = TypeVarTuple("Ts")
G = TypeVar("G")
Run = Callable[[G], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Check(Generic[G]):
    """One look at one thing.

    `run` says at least one thing, unless what it looks at is off. It may raise `StorageError` and
    OSError, which say that it could not look; anything else is a bug, which is told by its type. It
    is cancelled when its time is over.
    """

    name: str
    run: Run[G]


async def aside(look: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """Ask the system, which may take its time. A file system that hangs must hold up nobody else:
    its thread is then left to itself."""
    return await trio.to_thread.run_sync(look, *arguments, abandon_on_cancel=True)


def in_thread(look: Callable[[G], Sequence[Finding]]) -> Run[G]:
    """A look that asks the system alone."""

    async def run(at: G) -> Sequence[Finding]:
        return await aside(look, at)

    return run
