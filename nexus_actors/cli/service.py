"""`nexus start|stop|status|tree`: the service itself, from the terminal."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson, ConfigPath, Timeout, read_settings
from nexus_actors.cli.report import CommandError, note, print_json

if TYPE_CHECKING:
    from nexus_actors.settings import Settings


def start(*, config: ConfigPath = None) -> int:
    """Run the service in the foreground, until SIGTERM or Ctrl-C stops it.

    At a stop it reads nothing more, gives running calls the time of [service] drain_timeout, and
    makes what is left visible again for others.
    """
    settings = read_settings(config)
    import structlog

    from nexus_actors.application import run_service
    from nexus_actors.operations.logs import configure_logs

    configure_logs(settings.service.log_level, settings.service.log_format)
    for warning in settings.warnings:
        structlog.get_logger("nexus").warning(warning)
    return run_service(settings)


def stop(*, config: ConfigPath = None, timeout: Timeout | None = None) -> None:
    """Ask the running service to stop, and wait until its process is gone.

    Without --timeout it waits as long as the drain and the shutdown may take.
    """
    import trio

    settings = read_settings(config)
    # Beyond the drain: closing connections and stopping an embedded server take their time.
    limit = settings.service.drain_timeout + 40 if timeout is None else timeout
    pid = trio.run(_stop, settings.service.data_dir, limit)
    if pid is None:
        raise CommandError(
            f"the service still runs after {limit:g} s; it may still be finishing its calls",
            exit_codes.TIMED_OUT,
        )
    note(f"stopped (pid {pid})")


def status(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """Say what the running service does and has done."""
    answer = ask_service(read_settings(config), "status")
    if json:
        print_json(answer)
        return
    from nexus_actors.cli.service_view import print_status

    print_status(answer)


def tree(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show the supervision tree of the running service.

    Restarts: how often this actor was restarted; for a supervisor also, in brackets, how many
    restarts of its children count at present, of how many it allows before it gives up.
    """
    settings = read_settings(config)
    answer = ask_service(settings, "tree")
    if json:
        print_json(answer)
        return
    from nexus_actors.cli.screen import Screen
    from nexus_actors.cli.service_view import fit, render_tree

    console = Screen()
    table = render_tree(answer)
    fit(table, console)
    console.print(table)


def ask_service(settings: "Settings", command: str) -> Any:
    """The running service's answer to a command of its control socket."""
    import trio

    from nexus_actors.operations import control

    return trio.run(control.ask, settings.service.data_dir, command)


async def _stop(data_dir: Path, limit: float) -> int | None:
    """Ask for the stop; the process id once the process is gone, None if it is not gone in time."""
    import trio

    from nexus_actors.operations import control
    from nexus_actors.operations.instance import running_pid

    with trio.move_on_after(limit):
        while True:
            try:
                answer = await control.ask(data_dir, "stop")
                pid = answer["pid"] if isinstance(answer, dict) else 0
                break
            except control.Stopping as stopping:
                # It has been asked before, and then goes; or it is only starting: ask again.
                pid = stopping.pid
            await trio.sleep(0.1)
            if running_pid(data_dir) != pid:
                break
        while running_pid(data_dir) == pid:  # noqa: ASYNC110 - it is another process's to say
            await trio.sleep(0.02)
        await _wait_gone(pid)
        return int(pid)
    return None


async def _wait_gone(pid: int) -> None:
    """Wait for the end of a process that is no child; only Linux can, else the lock tells."""
    import trio

    if not hasattr(os, "pidfd_open"):
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
