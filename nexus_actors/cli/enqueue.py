"""`nexus enqueue`: requests from a file or a pipe into the queue."""

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import open_database, queues_of
from nexus_actors.cli.options import ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, complain, note, say

if TYPE_CHECKING:
    from nexus_actors.contract.bounds import Bounds
    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.connection import PostgresPool

CHUNK = 1 << 16
"""Bytes read at once; what a pipe has so far is sent without waiting for more."""
BATCH = 500
"""Requests sent in one statement."""
LONGEST_LINE = 64 << 20
"""Bytes. Longer is no request; without a limit a file without line ends would fill the memory."""
MOST_NAMES = 20
"""Names of dropped fields that are told."""

Mistake = tuple[int, str]
"""A line's number, and what is wrong with it."""


class Good(NamedTuple):
    """A line that can be sent."""

    number: int
    request_id: str
    text: str
    dropped: Sequence[str]
    """Names in it that nobody will be sent."""


class Dropped:
    """Names that no provider is sent, and in how many requests: a misspelt one stands in them all.
    Of as many different ones as a file may have, the first are kept."""

    def __init__(self) -> None:
        self._requests: dict[str, int] = {}
        self._is_cut = False

    def add(self, names: Sequence[str]) -> None:
        """Those of one request."""
        for name in names:
            if name in self._requests or len(self._requests) < MOST_NAMES:
                self._requests[name] = self._requests.get(name, 0) + 1
            else:
                self._is_cut = True

    def tell(self) -> None:
        """On standard error, where there are any."""
        told = [f"{name} (in {count})" for name, count in self._requests.items()]
        if told:
            note(f"dropped: {', '.join(told)}{', …' if self._is_cut else ''}")


def enqueue(
    file: Annotated[
        str,
        Parameter(help="A file of JSON lines, - for standard input.", allow_leading_hyphen=True),
    ],
    /,
    *,
    config: ConfigPath = None,
) -> int:
    """Send requests, one JSON object a line, and print the id of each as it is sent.

    A line without request_id gets one. Every line is checked by itself: a bad one is reported with
    its number, the others are sent, and the exit code is 1. No service need be running.
    """
    import trio

    settings = read_settings(config)
    sent, bad = trio.run(_enqueue, settings, file)
    note(
        f"{sent} sent to {settings.queue.requests}" + (f", {bad} bad lines left out" if bad else "")
    )
    return exit_codes.FAILED if bad else exit_codes.OK


async def _enqueue(settings: "Settings", file: str) -> tuple[int, int]:
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.migrate import migrate

    sent = bad = 0
    bounds, dropped = settings.requests.bounds, Dropped()
    with _opened(file) as source, _progress(source) as advance:
        async with open_database(settings) as url, open_postgres(url, pool_size=1) as pool:
            if settings.database.embedded:
                await migrate(pool, queues_of(settings))
            async for first, lines, size in _read_lines(source):
                good, mistakes = _check(first, lines, bounds)
                for line in good:
                    dropped.add(line.dropped)
                for start in range(0, len(good), BATCH):
                    batch = good[start : start + BATCH]
                    mistakes += await _send(pool, settings.queue.requests, batch)
                for number, reason in sorted(mistakes):
                    complain(f"line {number}: {reason}")
                bad += len(mistakes)
                sent += sum(1 for line in lines if line.strip()) - len(mistakes)
                advance(size)
    dropped.tell()
    return sent, bad


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - only opening it may fail like this
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", exit_codes.USAGE) from error
    with source:
        yield source


async def _read_lines(source: IO[bytes]) -> AsyncIterator[tuple[int, list[bytes], int]]:
    """Whole lines as they come: the number of the first, the lines, the bytes read for them."""
    import trio

    read = cast("Any", source).read1
    number, rest = 1, b""
    while True:
        # A thread that waits for a pipe is left behind at Ctrl-C.
        chunk: bytes = await trio.to_thread.run_sync(read, CHUNK, abandon_on_cancel=True)
        *lines, rest = (rest + chunk).split(b"\n")
        if not chunk or len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        yield number, lines, len(chunk)
        number += len(lines)
        if not chunk:
            return


def _check(
    first: int, lines: Sequence[bytes], bounds: "Bounds"
) -> tuple[list[Good], list[Mistake]]:
    """The good ones of some lines, and what is wrong with the others."""
    good: list[Good] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        match _request(number, line, bounds):
            case Good() as sendable:
                good.append(sendable)
            case reason:
                mistakes.append((number, reason))
    return good, mistakes


def _request(number: int, line: bytes, bounds: "Bounds") -> Good | str:
    """One request, as the service would take it; else why it would not."""
    import json
    import uuid

    from nexus_actors.contract.decode import decode_request
    from nexus_actors.contract.errors import Refusal
    from nexus_actors.contract.json_text import unstorable_at
    from nexus_actors.contract.wording import with_path

    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "invalid_request: not UTF-8"
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:  # also what the service would bear, and jsonb does not
        return f"invalid_request: not JSON from character {error.pos} on"
    except (ValueError, RecursionError):
        fields = None
    if (path := unstorable_at(text, fields)) is not None:
        told = "expected text without NUL and halves of surrogate pairs"
        return f"invalid_request: {with_path(path or None, told)}"
    if isinstance(fields, dict) and fields.get("request_id") is None and "request" not in fields:
        text = json.dumps({"request_id": str(uuid.uuid4()), **_present(fields)}, ensure_ascii=False)
    decoded = decode_request(text, bounds)
    if isinstance(decoded, Refusal):
        return f"{decoded.type}: {decoded.message}"
    return Good(number, decoded.request_id, text, decoded.unknown)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


async def _send(pool: "PostgresPool", queue: str, batch: Sequence[Good]) -> list[Mistake]:
    """Send a batch in one statement, then print its ids: a printed id is a sent one.

    What is right for us may still be more than jsonb can hold; then each is sent by itself.
    """
    from nexus_actors.storage.ports import StorageRefused

    try:
        await pool.run(_send_batch, queue, [line.text for line in batch])
    except StorageRefused as error:
        if len(batch) == 1:
            return [(batch[0].number, str(error))]
        return [mistake for line in batch for mistake in await _send(pool, queue, [line])]
    for line in batch:
        say(line.request_id)
    sys.stdout.flush()
    return []


async def _send_batch(connection: Any, queue: str, messages: Sequence[str]) -> None:
    await connection.fetch("SELECT pgmq.send_batch($1, $2::jsonb[])", queue, messages)


@contextmanager
def _progress(source: IO[bytes]) -> Iterator[Any]:
    """A bar on standard error if that is a terminal; gives what to call with the bytes done."""
    import os
    import stat

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal or sys.stdout.isatty():
        # Ids on the same terminal show the progress themselves, and would tear the bar apart.
        yield lambda _size: None
        return
    status = os.fstat(source.fileno())
    total = status.st_size if stat.S_ISREG(status.st_mode) else None
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total)
        yield lambda size: progress.advance(task, size)
