"""Puts a new config in force in the running service, after it was checked as a whole."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import structlog
import trio

from nexus_actors.operations.control import CommandRefused
from nexus_actors.providers.port import ServedKind
from nexus_actors.routing.in_force import InForce
from nexus_actors.routing.routes import Routes
from nexus_actors.settings import Mistake, Settings, SettingsErrors
from nexus_actors.settings.changes import Change, changes, without_restart
from nexus_actors.work.in_work import InWork
from nexus_actors.work.pool_sizes import PoolSizes

log = structlog.get_logger("nexus.reload")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The config that is in force now, or would be (dry run)."""

    changes: tuple[Change, ...]
    needs_restart: tuple[Change, ...]
    """Settings that differ but keep their old value until the next start."""
    warnings: tuple[str, ...]


class Reloading:
    """Reloads the config of one process. `load` reads config and environment, and may block.
    `sizes` applies the pool sizes, `set_level` the log level. `announced` reports a reload in
    progress to the service manager.

    A reload only swaps what is in force, in one step. Actors then adapt the tree by themselves, so
    the caller may be cancelled at any moment.
    """

    def __init__(
        self,
        *,
        in_force: InForce,
        load: Callable[[], Settings | SettingsErrors],
        in_work: InWork,
        sizes: PoolSizes,
        set_level: Callable[[], None],
        announced: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._in_force = in_force
        self._load = load
        self._in_work = in_work
        self._sizes = sizes
        self._set_level = set_level
        self._announced = announced
        self._turn = trio.Lock()
        self.counts = {"ok": 0, "refused": 0}
        """How often a config was put in force or refused, without dry runs."""

    async def __call__(self, arguments: Mapping[str, Any]) -> object:
        """The answer to `reload`, for JSON."""
        dry_run = arguments.get("dry_run", False)
        if not isinstance(dry_run, bool):
            raise CommandRefused("dry_run: expected true or false")
        match await self.reload(dry_run=dry_run):
            case SettingsErrors() as errors:
                return {"ok": False, "mistakes": [asdict(it) for it in errors.mistakes]}
            case Reloaded() as done:
                return {"ok": True, "dry_run": dry_run, **asdict(done)}

    async def reload(self, *, dry_run: bool = False) -> Reloaded | SettingsErrors:
        """Put the current config in force, completely, or nothing if it has a mistake. One reload
        runs at a time."""
        async with self._turn:
            with nullcontext() if dry_run else self._announced():
                done = await self._reload(dry_run=dry_run)
        if not dry_run:
            self.counts["ok" if isinstance(done, Reloaded) else "refused"] += 1
        return done

    async def _reload(self, *, dry_run: bool) -> Reloaded | SettingsErrors:
        before = self._in_force.settings
        wanted = await trio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        if isinstance(wanted, SettingsErrors):
            return _refused(wanted)
        merged = without_restart(before, wanted)
        settings = merged.settings
        if mistakes := await _cannot_open(before, settings):
            return _refused(SettingsErrors(mistakes))
        routes = self._in_force.routes
        if _routing(settings) != _routing(before):
            routes = await trio.to_thread.run_sync(_new_routes, settings)
        done = Reloaded(changes(before, settings), merged.needs_restart, settings.warnings)
        if not dry_run:
            self._swap(settings, routes)
            _tell(done)
        return done

    def _swap(self, settings: Settings, routes: Routes) -> None:
        self._in_force.swap(settings, routes)
        self._in_work.batch_size = settings.queue.batch_size
        self._sizes.apply()
        self._set_level()


def _new_routes(settings: Settings) -> Routes:
    routes = Routes(settings)
    routes.warm_up()
    return routes


def _routing(settings: Settings) -> object:
    """The settings that routes depend on: everything but pool sizes."""
    providers = {name: it.but_for_size for name, it in settings.providers.items()}
    return providers, dict(settings.left_out), settings.routes


async def _cannot_open(before: Settings, settings: Settings) -> tuple[Mistake, ...]:
    """Providers, new or changed, whose sessions cannot be opened, which validation does not detect:
    their workers would crash again and again."""
    mistakes = []
    for name, provider in settings.providers.items():
        if provider == before.providers.get(name) or isinstance(provider.kind, ServedKind):
            continue
        try:
            async with AsyncExitStack() as stack:
                for key in provider.api_keys or (None,):
                    secret = None if key is None else key.secret
                    session = provider.kind.open(name, provider.settings, secret)
                    await stack.enter_async_context(session)
        except Exception as error:  # noqa: BLE001 - the worker would get any error
            found = f"settings with which no call can be made ({type(error).__name__})"
            source = "config" if settings.file is None else str(settings.file)
            mistakes.append(
                Mistake(path=f"providers.{name}", found=found, expected="others", source=source)
            )
    return tuple(mistakes)


def _refused(errors: SettingsErrors) -> SettingsErrors:
    log.error("not reloaded, the old config stays", mistakes=[str(it) for it in errors.mistakes])
    return errors


def _tell(done: Reloaded) -> None:
    for warning in done.warnings:
        log.warning(warning)
    log.info(
        "reloaded",
        changes=[str(it) for it in done.changes],
        needs_restart=[str(it) for it in done.needs_restart],
    )
