"""`nexus start|stop|status|tree`: run the service, stop it, look at it."""

import gc
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson, ConfigPath, Timeout, read_settings
from nexus_actors.cli.report import CommandError, note, print_json, say
from nexus_actors.config_file import Place, find_file, read_place, sought
from nexus_actors.operations import control_client
from nexus_actors.operations.instance import running_pid


def start(*, config: ConfigPath = None) -> int:
    """Run the service in the foreground until SIGTERM or Ctrl-C stops it.

    A stop drains: nothing more is leased, running calls get [service] drain_timeout seconds, and
    all other leases are released for other nodes.

    Example: nexus start --config /etc/nexus/nexus.toml
    """
    gc.disable()  # Collecting during imports finds nothing. `run_service` enables it again.
    settings = read_settings(config)
    import structlog

    from nexus_actors.operations.logs import configure_logs
    from nexus_actors.program import run_service

    configure_logs(settings.service.log_level, settings.service.log_format)
    for warning in settings.warnings:
        structlog.get_logger("nexus").warning(warning)
    return run_service(settings)


def stop(*, config: ConfigPath = None, timeout: Timeout | None = None) -> None:
    """Stop the running service and wait until its process is gone.

    Without --timeout it waits as long as the drain and the shutdown may take.

    Example: nexus stop --timeout 60
    """
    place = service_place(config)
    # After the drain, closing connections and stopping an embedded server take a while.
    limit = place.drain_timeout + 40 if timeout is None else timeout
    with naming_config(config, advice="nothing to stop"):
        pid = _stop(place.data_dir, limit)
    if pid is None:
        raise CommandError(
            f"the service still runs after {limit:g} s; it may still be finishing its calls",
            exit_codes.TIMED_OUT,
        )
    note(f"stopped (pid {pid})")
    if kept := _kept(place.data_dir):
        note(
            f"answers that the database did not take: {kept}, kept in {place.data_dir}; the next"
            " start with this data_dir publishes them"
        )


def status(
    *,
    all_: Annotated[
        bool,
        Parameter(name="--all", negative="", help="All nodes of the database, as nexus nodes."),
    ] = False,
    alive: Annotated[
        bool,
        Parameter(
            negative="",
            help="Only whether it answers: exit code 0, also while degraded, starting or stopping.",
        ),
    ] = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Show the state and the numbers of the running service; with --all, of every node of the
    database.

    Exit code 6 while the service is degraded or has not started, because an operator may have to
    fix something. With --all: while any node is degraded or lost. With --alive, for a container's
    health check: 0 as long as the service answers, because restarting it would interrupt running
    calls.

    Example: nexus status --all
    """
    if alive:
        return _say_alive(config, json=json)
    if all_:
        from nexus_actors.cli.nodes import show_nodes

        return show_nodes(config, json=json)
    answer = ask_service(config, "status")
    if json:
        print_json(answer)
    else:
        from nexus_actors.cli.service_view import print_status

        print_status(answer)
    return exit_codes.DEGRADED if answer.get("state") == "degraded" else exit_codes.OK


def _say_alive(config: Path | None, *, json: bool) -> int:
    """Queries no database. While the service starts or stops, its lock shows that it lives."""
    try:
        answer = ask_service(config, "status", {"queues": False})
        pid, state = answer["pid"], answer["state"]
    except control_client.Stopping as stopping:  # it is starting or stopping
        pid, state = stopping.pid, "starting or stopping"
    if json:
        print_json({"pid": pid, "state": state})
    else:
        say(f"alive (pid {pid}): {state}")
    return exit_codes.OK


def tree(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show the supervision tree of the running service.

    Restarts: how often the actor was restarted. For a supervisor, the numbers in brackets are the
    recent restarts of its children and how many it allows before it gives up.

    Example: nexus tree
    """
    answer = ask_service(config, "tree")
    if json:
        print_json(answer)
        return
    from nexus_actors.cli.screen import Screen, is_unicode
    from nexus_actors.cli.service_view import fit, render_tree

    console = Screen()
    table = render_tree(answer, ascii_only=not is_unicode(console))
    fit(table, console)
    console.print(table)


def service_place(config: Path | None) -> Place:
    """Where the service of this config is. Mistakes in other settings do not matter."""
    place = read_place(config)
    if place is not None:
        return place
    service = read_settings(config).service
    return Place(service.data_dir, service.drain_timeout)


def ask_service(
    config: Path | None, command: str, arguments: Mapping[str, object] | None = None
) -> Any:
    """The running service's answer to a command on its control socket."""
    data_dir = service_place(config).data_dir
    with naming_config(config):
        return control_client.ask(data_dir, command, arguments)


@contextmanager
def naming_config(config: Path | None, *, advice: str = "start it: nexus start") -> Iterator[None]:
    """Add to `NotRunning` which config the data directory is from, since another terminal may lack
    the variables of the one that started the service, and this advice."""
    try:
        yield
    except control_client.NotRunning as error:
        error.add_note(f"data_dir is from {sought(find_file(config, os.environ))}")
        error.add_note(f"{advice}; if it runs with another config: export NEXUS_CONFIG=FILE")
        raise


def _kept(data_dir: Path) -> int:
    """How many answers are left in the spool."""
    file = data_dir / "answers.spool"
    try:
        if not file.stat().st_size:
            return 0
        from nexus_actors.storage.spool import count_kept

        return count_kept(file)
    except OSError:
        return 0


def _stop(data_dir: Path, limit: float) -> int | None:
    """Ask for the stop. Returns the pid once the process is gone, or None after `limit` seconds."""
    deadline = time.monotonic() + limit
    pid = told = 0
    while pid == 0 or running_pid(data_dir) == pid:
        try:
            answer: Any = control_client.ask(data_dir, "stop")
            pid = answer["pid"]
            break
        except control_client.Starting as starting:
            # It has no socket yet, and may wait for long. Its lock holds its pid.
            pid = starting.pid
            if told != pid:
                _terminate(told := pid)
        except control_client.Stopping as stopping:
            # It is already stopping, or still starting: ask again.
            pid = stopping.pid
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.1)
    while running_pid(data_dir) == pid:
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.02)
    return pid if _is_gone(pid, deadline) else None


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise CommandError(f"the service (pid {pid}) is another user's") from None


def _is_gone(pid: int, deadline: float) -> bool:
    """Wait for a process that is not a child to end. Only on Linux; elsewhere the lock tells."""
    if not hasattr(os, "pidfd_open"):
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        gone, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0.0))
        return bool(gone)
    finally:
        os.close(descriptor)
