"""The service as a program: runs the tree until a signal stops it, and returns the exit code."""

import gc
import os
import signal
from contextlib import closing, nullcontext

import structlog
import trio

from nexus_actors import __version__, failpoints
from nexus_actors.application import Application
from nexus_actors.operations.instance import Database, claim_instance
from nexus_actors.operations.service_manager import Notifier
from nexus_actors.settings import Settings
from supervisors import Ended, Normal, Shutdown, serve

log = structlog.get_logger("nexus")


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that stop the service. SIGHUP stops it only at a terminal, which is then gone.
    Elsewhere SIGHUP asks for a reload."""
    try:
        at_terminal = os.isatty(0)
    except OSError:
        at_terminal = False
    always = signal.SIGTERM, signal.SIGINT
    return (*always, signal.SIGHUP) if at_terminal else always


async def _serve(application: Application) -> Ended:
    signals = stop_signals()
    if signal.SIGHUP in signals:
        return await serve(application.supervisor, signals=signals)
    with trio.open_signal_receiver(signal.SIGHUP) as arrivals:
        async with trio.open_nursery() as nursery:

            async def heed() -> None:
                async for _ in arrivals:
                    log.info("SIGHUP: the config is read again")
                    try:
                        await application.reloading.reload()
                    except Exception:  # a mistake in it must not end the service
                        log.exception("not reloaded")

            nursery.start_soon(heed)
            ended = await serve(application.supervisor, signals=signals)
            nursery.cancel_scope.cancel()
    return ended


def tune_collector() -> None:
    """Make garbage collection rarer, and exclude everything that exists now: modules and settings
    live as long as the process.

    A request is about a hundred objects that live until its answer, so with thousands in flight
    the collector would traverse them again and again. They contain no cycles, so reference counts
    free them without the collector.

    `nexus start` disables the collector while it imports; this enables it.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 100)


def run_service(settings: Settings) -> int:
    """Run the service until a signal stops it. Returns the process's exit code.

    Raises `InstanceError` if another one runs with this data directory, `InstanceTaken` if it was
    stopped because a copy of that runs, and the runtime's StartError, whose innermost cause is a
    `StorageError` or `ControlError` with one line for the operator. `FailpointError` if
    NEXUS_FAILPOINT names none.
    """
    failpoints.arm(os.environ)
    notifier = Notifier.from_environ(os.environ)
    database: Database = "embedded" if settings.database.embedded else "external"
    with (
        nullcontext() if notifier is None else closing(notifier),
        claim_instance(settings.service.data_dir, database) as instance,
    ):
        application = Application(settings, instance, notifier=notifier)
        log.info(
            "starting",
            version=__version__,
            pid=os.getpid(),
            config=str(settings.file) if settings.file else "built-in defaults",
            database=database,
            queue=settings.queue.requests,
            providers={name: one.settings.pool_size for name, one in settings.providers.items()},
        )
        tune_collector()
        with application.observing():
            ended = trio.run(_serve, application)
        log.info(
            "stopped",
            reason=type(ended.reason).__name__,
            succeeded=application.metrics.succeeded,
            failed=application.metrics.failed,
        )
    if application.taken is not None:
        raise application.taken
    # Told to stop, it may still have been killed: by the second signal, or by an actor's crash.
    return 0 if ended.signal is not None and isinstance(ended.reason, Normal | Shutdown) else 1
