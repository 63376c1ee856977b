"""A check, and its input. The input's type says what the check needs: the config file, its
settings, or the database."""

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
    """The options of an examination."""

    config: Path | None = None
    """Passed to `load_settings`."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    offline: bool = False
    """Call no provider."""
    patience: float = 5.0
    """Seconds allowed for each check."""
    now: Callable[[], float] = time.time
    """This host's clock, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The config was read; it may have mistakes."""

    given: Given
    loaded: Settings | SettingsErrors


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The config was read and is valid."""

    given: Given
    settings: Settings

    @property
    def data_dir(self) -> Path:
        """Where the service keeps its files."""
        return self.settings.service.data_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Installation):
    """The database is reachable and gives each connection its own session."""

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
    """One check of one thing.

    `run` returns at least one finding, unless the feature it checks is off. It may raise
    StorageError and OSError if it could not check. Any other exception is a bug, reported by its
    type. It is cancelled when its time is up.
    """

    name: str
    run: Run[G]


async def aside(look: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """Run a blocking function in a thread. If it is cancelled, the thread is abandoned, so a file
    system that hangs delays only its own check."""
    return await trio.to_thread.run_sync(look, *arguments, abandon_on_cancel=True)


def in_thread(look: Callable[[G], Sequence[Finding]]) -> Run[G]:
    """Make a check of a blocking function."""

    async def run(at: G) -> Sequence[Finding]:
        return await aside(look, at)

    return run
