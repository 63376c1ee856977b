"""Runs all checks in parallel."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Final

import trio

from nexus_actors.doctor import (
    config,
    database,
    host,
    keys,
    limits,
    network,
    routes,
    schema,
    work,
)
from nexus_actors.doctor.check import Check, Configured, Connected, G, Given, Installation
from nexus_actors.doctor.database import Unreachable
from nexus_actors.doctor.finding import CheckResult, Finding, NotChecked, Wrong
from nexus_actors.settings import Settings, SettingsErrors, load_settings
from nexus_actors.storage.errors import StorageError

OF_CONFIG: Final[tuple[Check[Configured], ...]] = config.CHECKS
OF_DATABASE: Final[tuple[Check[Connected], ...]] = (
    *database.CHECKS,
    *schema.CHECKS,
    *work.CHECKS,
)
OF_INSTALLATION: Final[tuple[Check[Installation], ...]] = (
    *keys.CHECKS,
    *routes.CHECKS,
    *host.CHECKS,
    *limits.CHECKS,
    *network.CHECKS,
)
NAMES: Final = (
    *(it.name for it in OF_CONFIG),
    *(it.name for it in OF_DATABASE),
    *(it.name for it in OF_INSTALLATION),
)
"""The names of all checks, in the order of the report."""


class _Examination:
    """The findings so far."""

    def __init__(self, given: Given, only: Collection[str]) -> None:
        self._given = given
        self._only = only
        self._found: dict[str, Sequence[Finding]] = {}

    def results(self) -> tuple[CheckResult, ...]:
        """All findings, in the order of `NAMES`."""
        return tuple(CheckResult(name, it) for name in NAMES for it in self._found.get(name, ()))

    def asked(self, checks: Iterable[Check[G]]) -> Sequence[Check[G]]:
        """The checks that were selected."""
        return [it for it in checks if not self._only or it.name in self._only]

    def need(self, name: str) -> None:
        """Report this check although it was not selected: it keeps a selected one from being made,
        and must not be missing from the report and from the exit code."""
        if self._only:
            self._only = {*self._only, name}

    def tell(self, checks: Iterable[Check[G]], finding: Finding) -> None:
        """Give several checks the same finding."""
        for it in self.asked(checks):
            self._found[it.name] = [finding]

    async def run(self, check: Check[G], at: G) -> None:
        """Run one check within its time limit."""
        self._found[check.name] = [_late(check.name, self._given.patience)]
        with trio.move_on_after(self._given.patience):
            try:
                self._found[check.name] = await check.run(at)
            except StorageError as error:
                self._found[check.name] = [_unseen(check.name, str(error))]
            except OSError as error:
                self._found[check.name] = [_denied(check.name, error)]
            except Exception as error:  # noqa: BLE001 - see _crashed
                self._found[check.name] = [_crashed(error)]

    async def of_database(self, at: Installation) -> None:
        """Run all checks of the database over shared connections."""
        if not self.asked(OF_DATABASE):
            return
        try:
            await self._with_database(at)
        except OSError as error:
            see = NotChecked("see database")
            self.tell_away(Unreachable(_denied("database", error), see, see))
        except Exception as error:  # noqa: BLE001 - see _crashed
            self.tell(OF_DATABASE, _crashed(error))

    def tell_away(self, found: Unreachable) -> None:
        """Report why there is no usable connection, and that nothing else could be checked."""
        self.need("database" if isinstance(found.pooler, NotChecked) else "pooler")
        self.tell(OF_DATABASE, found.others)
        self.tell([it for it in OF_DATABASE if it.name == "pooler"], found.pooler)
        self.tell([it for it in OF_DATABASE if it.name == "database"], found.database)

    async def _with_database(self, at: Installation) -> None:
        async with database.connected(at) as there:
            if isinstance(there, Unreachable):
                self.tell_away(there)
                return
            async with trio.open_nursery() as nursery:
                for it in self.asked(OF_DATABASE):
                    nursery.start_soon(self.run, it, there)


def _late(name: str, patience: float) -> Wrong:
    return Wrong(
        f"there was no answer within {patience:g} s",
        "what the service asks there takes as long",
        f"see whether the disk or the server is overloaded, or hangs; nexus doctor --only {name}",
    )


def _crashed(error: Exception) -> Wrong:
    """A bug in one check must not cost the other findings. Only the type is reported, since the
    text of an unexpected error may contain a secret."""
    return Wrong(
        f"this check crashed: {_type_of(error)}",
        "what it looks at was not looked at; the other findings stand",
        "report it as a bug of nexus doctor, with this line and what nexus --version says",
    )


def _type_of(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _unseen(name: str, cause: str) -> Wrong:
    return Wrong(
        cause,
        "this could not be checked, and the service may fail at the same",
        f"as the message says; then nexus doctor --only {name}",
    )


def _denied(name: str, error: OSError) -> NotChecked | Wrong:
    """What the system denied. What another user may not see says nothing about the service."""
    why = (error.strerror or type(error).__name__).lower()
    cause = f"{error.filename}: {why}" if error.filename else why
    return NotChecked(cause) if isinstance(error, PermissionError) else _unseen(name, cause)


async def examine(given: Given, *, only: Collection[str] = ()) -> tuple[CheckResult, ...]:
    """Run all checks, or those named in `only`. Returns their findings in a fixed order.

    The checks run in parallel, each for at most `given.patience` seconds, after connecting to the
    database, which may take as long. If cancelled, only threads remain that wait for a file system
    that hangs.
    """
    examination = _Examination(given, only)
    loaded: Settings | SettingsErrors | None = None
    with trio.move_on_after(given.patience):
        read = partial(load_settings, given.config, given.environ)
        loaded = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    needs_config = bool(examination.asked(OF_DATABASE)) or bool(examination.asked(OF_INSTALLATION))
    if needs_config and not isinstance(loaded, Settings):
        examination.need("config")
    async with trio.open_nursery() as nursery:
        if loaded is not None:
            configured = Configured(given=given, loaded=loaded)
            for it in examination.asked(OF_CONFIG):
                nursery.start_soon(examination.run, it, configured)
        if isinstance(loaded, Settings):
            at = Installation(given=given, settings=loaded)
            nursery.start_soon(examination.of_database, at)
            for each in examination.asked(OF_INSTALLATION):
                nursery.start_soon(examination.run, each, at)
        else:
            why = NotChecked("see config")
            examination.tell(OF_DATABASE, why)
            examination.tell(OF_INSTALLATION, why)
        if loaded is None:
            cause = f"the config could not be read within {given.patience:g} s"
            fix = "see whether the file system that it is on answers"
            examination.tell(OF_CONFIG, Wrong(cause, "no service starts", fix))
    return examination.results()
