"""The demo, chapter by chapter."""

import json
import math
import signal
import time
from typing import Annotated

import trio
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nexus_actors.cli import exit_codes
from nexus_actors.cli.report import CommandError, complain, note
from nexus_actors.cli.service_view import render_tree
from nexus_actors.demo import evidence, promises, view
from nexus_actors.demo.evidence import Evidence
from nexus_actors.demo.examples import Examples, read_examples
from nexus_actors.demo.stage import Stage, open_stage
from nexus_actors.providers.local_model import weights
from nexus_actors.storage.postgres.connection import PostgresPool, open_postgres
from nexus_actors.storage.postgres.embedded import embedded_url

WORK_TIMEOUT = 30.0
"""Seconds allowed for answering all examples."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stay:
    """With `--keep`: the time in which the user looks around, until a signal ends it."""

    def __init__(self) -> None:
        self._over: trio.Event | None = None

    async def wait(self) -> None:
        """Wait until `end` is called."""
        self._over = trio.Event()
        await self._over.wait()

    def end(self) -> bool:
        """End the wait. False if there is none, or it has already ended."""
        if self._over is None or self._over.is_set():
            return False
        self._over.set()
        return True


def demo(
    *,
    keep: Annotated[
        bool,
        Parameter(negative=(), help="Leave the service running, with its dashboard, until Ctrl-C."),
    ] = False,
) -> int:
    """Show the service at work: an embedded PostgreSQL, example requests, all results.

    Needs no keys and no network, and leaves nothing behind. Exit code 1 if a check fails.

    Example: nexus demo --keep
    """
    return trio.run(_until_signal, _Stay() if keep else None)


async def _until_signal(stay: _Stay | None) -> int:
    """Run the demo. A signal ends it early and in order; during `stay`, it ends only that."""
    code = exit_codes.FAILED
    with trio.open_signal_receiver(*SIGNALS) as arrivals:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                nonlocal code
                async for number in arrivals:
                    if stay is None or not stay.end():
                        code = 128 + number
                        nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            kept = await _demo(view.View(), stay)
            code = exit_codes.OK if kept else exit_codes.FAILED
            nursery.cancel_scope.cancel()
    return code


async def _demo(screen: view.View, stay: _Stay | None) -> bool:
    """Run the whole demo. Returns whether all checks passed."""
    began = time.monotonic()
    examples = read_examples()
    async with open_stage(examples.config, dashboard=stay is not None) as stage:
        with screen.console.status("starting PostgreSQL and the service"):
            await stage.wait_ready()
        _tell_start(screen, stage, time.monotonic() - began, examples)
        url = embedded_url(stage.settings.service.data_dir)
        async with open_postgres(url, pool_size=1, application_name="nexus demo") as pool:
            await _send(screen, stage, pool, examples)
            found = await evidence.collect(pool, stage.settings.queue)
        _tell_results(screen, examples, found)
        await _tell_tree(screen, stage)
        if stay is not None:
            _tell_dashboard(screen, stage)
            looking = time.monotonic()
            await stay.wait()
            began += time.monotonic() - looking
        with screen.console.status("stopping"):
            stopped = await stage.stop()
        log = stage.log_end()
    kept = [*promises.check(examples, found), _stopped_cleanly(stage, stopped)]
    screen.heading(f"Promised and kept, in {time.monotonic() - began:.1f} seconds")
    screen.promises(kept)
    if stopped != 0:
        complain("the end of the service's log:")
        for line in log:
            note(line)
    if stay is None:
        screen.console.print()
        screen.say(
            "Look around in it: make demo KEEP=1 leaves it up, with its dashboard, until Ctrl-C."
        )
    return all(true for true, _ in kept)


def _tell_start(screen: view.View, stage: Stage, seconds: float, examples: Examples) -> None:
    screen.heading("One supervised process, and a PostgreSQL of its own")
    screen.say(
        f"nexus start --config config/examples/demo.toml   # pid {stage.process.pid}", "cyan"
    )
    screen.say(
        f"Up after {seconds:.1f} seconds: a new database, PGMQ, its queues, the journal,"
        " the tree of actors."
    )
    names = stage.settings.providers
    imitations = "All are imitations: no keys, no network."
    if examples.local:
        imitations = f"All but local are imitations; that one is {weights.MODEL}, run here."
    screen.say(f"Providers: {', '.join(names)}. {imitations}")
    if not examples.local:
        screen.say("A real model, without a key (127 MB): nexus local-model install", "dim")


async def _send(screen: view.View, stage: Stage, pool: PostgresPool, examples: Examples) -> None:
    """Send the examples and wait until all are answered."""
    queue = stage.settings.queue
    screen.heading("A producer that knows only SQL")
    first = json.loads(examples.messages[0])["request_id"]
    screen.say(
        f"SELECT pgmq.send('{queue.requests}', '{{\"request_id\": \"{first}\", …}}');", "cyan"
    )
    screen.say(
        f"{len(examples.messages)} messages: {len(examples.ids)} requests, of which"
        f" {len(examples.duplicates)} is sent twice and {len(examples.refused)} is malformed."
    )
    columns = (TextColumn("  answered"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=screen.console, transient=True, disable=not screen.console.is_terminal
    ) as bar:
        task = bar.add_task("", total=len(examples.ids))
        for message in examples.messages:
            await evidence.send(pool, queue.requests, message)
        with trio.move_on_after(WORK_TIMEOUT):
            count, left = 0, math.inf
            while count < len(examples.ids) or left:
                await trio.sleep(0.02)
                count = await evidence.count_results(pool)
                left = await evidence.count_waiting(pool, queue)
                bar.update(task, completed=count)
                if stage.process.poll() is not None:
                    raise CommandError("the service ended; its log:", details=stage.log_end())


def _tell_results(screen: view.View, examples: Examples, found: Evidence) -> None:
    screen.heading(
        "Every request has exactly one result",
        "In the order answered. Without a known price a cost is unknown; mock providers are free.",
    )
    screen.show(view.results_table(found.results))
    if examples.local:
        screen.heading(
            "A real model, in a process of its own",
            "Below local.Supervisor, restarted when it dies. It is a toy: what it says is no proof"
            " of anything but the pipe.",
        )
        screen.show(view.answers_table(found.results, examples.local))
    screen.heading(
        "A provider that fails, and the next one of the route",
        "From the journal, table nexus.attempts: what was tried, in order.",
    )
    screen.show(view.attempts_table(found.attempts, promises.fallbacks(found)))
    screen.heading(
        "What can never succeed: a dead letter, and an error as its result",
        "The other requests of its batch were not affected.",
    )
    screen.show(view.dead_table(found.dead))
    for request_id in sorted(examples.duplicates):
        sent = sum(request_id in message for message in examples.messages)
        attempts = sum(row["request_id"] == request_id for row in found.attempts)
        results = sum(row["request_id"] == request_id for row in found.results)
        screen.heading(
            "Sent twice, answered once",
            "A request_id has one row in the journal, whoever sends it again.",
        )
        screen.say(
            f"{request_id}: messages {sent}, calls to a provider {attempts}, results {results}"
        )
    screen.heading(
        "The same results in SQL, as your program reads them",
        "SELECT id, status, tokens_used, cost_cents, duration_ms, output ->> 'response'"
        " FROM job_results",
    )
    screen.show(view.job_results_table(found.results))


async def _tell_tree(screen: view.View, stage: Stage) -> None:
    screen.heading(
        "The supervision tree, as nexus tree shows it",
        "Kill any of these actors: its supervisor starts another, which picks up its work.",
    )
    screen.show(render_tree(await stage.ask("tree")))


def _tell_dashboard(screen: view.View, stage: Stage) -> None:
    screen.heading(
        "Its dashboard",
        "What you have seen, and the actions: pause, scale, cancel, retry. Only from this machine.",
    )
    screen.say(str(stage.dashboard()), "bold cyan")
    screen.say("From a second terminal, as all other commands:")
    screen.say(stage.command("top"), "cyan")
    screen.say("The service stays up until Ctrl-C.")


def _stopped_cleanly(stage: Stage, code: int | None) -> promises.Promise:
    gone = not stage.settings.service.data_dir.exists()
    said = "does not end" if code is None else f"exit code {code}"
    return code == 0 and gone, f"the service stopped on SIGTERM ({said}), and nothing is left of it"
