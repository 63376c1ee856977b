"""`nexus enqueue`: send requests from a file or a pipe."""

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import open_database, queues_of
from nexus_actors.cli.options import ConfigPath, input_file, read_settings
from nexus_actors.cli.report import CommandError, complain, note, say
from nexus_actors.cli.running import run
from nexus_actors.cli.sources import opened

if TYPE_CHECKING:
    from nexus_actors.contract.bounds import Bounds
    from nexus_actors.contract.errors import Refusal
    from nexus_actors.contract.request import LLMRequest
    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.connection import PostgresPool

CHUNK = 1 << 16
"""The most bytes read at once. Data from a pipe is sent without waiting for a full chunk."""
BATCH = 500
"""The most requests sent in one statement."""
LONGEST_LINE = 64 << 20
"""Bytes. A longer line is not a request, and could fill the memory."""
MOST_NAMES = 20
"""The most names of dropped fields that are reported."""

Mistake = tuple[int, str]
"""A line's number, and its error."""


class Good(NamedTuple):
    """A valid line."""

    number: int
    request_id: str
    text: str
    dropped: Sequence[str]
    """Names of its fields that are not sent to providers."""
    request: "LLMRequest"


@dataclass(slots=True)
class Done:
    """The progress through a file."""

    traceparent: str | None = None
    """The trace of requests that name no other."""
    sent: int = 0
    known: int = 0
    """How many of them had ids already known to the journal."""
    bad: int = 0
    next_line: int = 1
    """All earlier lines are sent or were reported as invalid."""
    under_way: int = 0
    """Requests in the batch that is being sent."""

    def told(self, queue: str) -> str:
        """The outcome in words."""
        lines = "line" if self.bad == 1 else "lines"
        bad = f", {self.bad} invalid {lines} skipped" if self.bad else ""
        known = f"{self.known} of them under ids that are known already: no new requests"
        return f"{self.sent} sent to {queue}{f', {known}' if self.known else ''}{bad}"

    @property
    def unsure(self) -> str:
        """What remains unknown if a batch was interrupted: it was sent as a whole or not at all."""
        if not self.under_way:
            return ""
        return f"; whether the {self.under_way} from there on are sent, too, is not known"


class Dropped:
    """Names of dropped fields, with the number of requests. A misspelt name is usually in all of
    them. Only the first `MOST_NAMES` names are kept."""

    def __init__(self) -> None:
        self._requests: dict[str, int] = {}
        self._is_cut = False

    def add(self, names: Sequence[str]) -> None:
        """Count the names of one request."""
        for name in names:
            if name in self._requests or len(self._requests) < MOST_NAMES:
                self._requests[name] = self._requests.get(name, 0) + 1
            else:
                self._is_cut = True

    def tell(self) -> None:
        """Report them on standard error, if there are any."""
        told = [f"{name} (in {count})" for name, count in self._requests.items()]
        if told:
            note(f"dropped: {', '.join(told)}{', …' if self._is_cut else ''}")
        for name in self._requests:
            if (close := _close(name)) is not None:
                note(f"{name}: did you mean {close}?")


def enqueue(
    file: Annotated[str, input_file("A file of JSON lines")],
    /,
    *,
    traceparent: Annotated[
        str | None,
        Parameter(help="W3C traceparent of their trace; a line's own takes precedence."),
    ] = None,
    config: ConfigPath = None,
) -> int:
    """Send requests from a file, one JSON object per line, and print their ids.

    A line without request_id gets one. Every line is checked by the service's own rules: an invalid
    line is skipped and reported with its number and everything that is wrong with it, the other
    lines are sent, and the exit code is 1. No service has to be running. An id that was used before
    does not start a new request.

    Example: nexus enqueue requests.jsonl
    """
    settings = read_settings(config)
    if traceparent is not None:
        from nexus_actors.contract.trace import parse_traceparent

        if parse_traceparent(traceparent) is None:
            raise CommandError(
                "--traceparent: expected a W3C traceparent of version 00", exit_codes.USAGE
            )
    done = Done(traceparent)
    try:
        run(_enqueue, settings, file, done)
    except KeyboardInterrupt:
        complain(
            f"interrupted: {done.told(settings.queue.requests)}, from the lines before"
            f" {done.next_line}{done.unsure}"
        )
        raise
    note(done.told(settings.queue.requests))
    if settings.database.embedded:
        _tell_stopped(settings)
    return exit_codes.FAILED if done.bad else exit_codes.OK


def _tell_stopped(settings: "Settings") -> None:
    """Say where the requests wait if no service takes them from there: perhaps the sender meant
    another database."""
    from nexus_actors.operations.instance import running_pid
    from nexus_actors.settings.url_source import sought_url

    data_dir = settings.service.data_dir
    if running_pid(data_dir) is None:
        note(
            f"they wait in the embedded database of data_dir {data_dir} until nexus start;"
            f" {sought_url(settings)}"
        )


async def _enqueue(settings: "Settings", file: str, done: Done) -> None:
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.migrate import migrate

    dropped = Dropped()
    with opened(file) as source, _progress(source) as advance:
        async with open_database(settings) as url, open_postgres(url, pool_size=1) as pool:
            if settings.database.embedded:
                await migrate(pool, queues_of(settings), stores_results=False)
            async for first, lines, size in _read_lines(source):
                good, mistakes = _check(
                    first, lines, settings.requests.bounds, settings.queue.message_megabytes
                )
                for line in good:
                    dropped.add((*line.dropped, *_unheard(settings, line.request)))
                for start in range(0, len(good), BATCH):
                    batch = good[start : start + BATCH]
                    done.next_line = batch[0].number
                    mistakes += await _send(pool, settings.queue.requests, batch, done)
                for number, reason in sorted(mistakes):
                    complain(f"line {number}: {reason}")
                done.bad += len(mistakes)
                done.next_line = first + len(lines)
                advance(size)
    dropped.tell()


async def _read_lines(source: IO[bytes]) -> AsyncIterator[tuple[int, list[bytes], int]]:
    """Lines as they arrive: the first one's number, the complete lines, and the bytes read."""
    import trio

    read = cast("Any", source).read1
    number, length = 1, 0
    parts: list[bytes] = []
    while True:
        # At Ctrl-C, a thread that waits for a pipe is abandoned.
        chunk: bytes = await trio.to_thread.run_sync(read, CHUNK, abandon_on_cancel=True)
        end, *begun = chunk.split(b"\n")
        if length <= LONGEST_LINE:  # a longer line is cut, and still too long
            parts.append(end)
        length += len(end)
        lines: list[bytes] = []
        if begun or not chunk:
            lines = [b"".join(parts), *begun[:-1]]
            parts, length = begun[-1:], sum(map(len, begun[-1:]))
        yield number, lines, len(chunk)
        number += len(lines)
        if not chunk:
            return


def _check(
    first: int, lines: Sequence[bytes], bounds: "Bounds", megabytes: int = 255
) -> tuple[list[Good], list[Mistake]]:
    """Separate valid lines from invalid ones. `megabytes` is the largest allowed size of a
    message."""
    good: list[Good] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        match _request(number, line, bounds, megabytes):
            case Good() as sendable:
                good.append(sendable)
            case reason:
                mistakes.append((number, reason))
    return good, mistakes


def _request(number: int, line: bytes, bounds: "Bounds", megabytes: int) -> Good | str:
    """Check one line as the service would. Returns the reason if it is invalid."""
    import json

    from nexus_actors.contract.decode import decode_request
    from nexus_actors.contract.errors import Refusal
    from nexus_actors.contract.json_text import unstorable_at
    from nexus_actors.contract.jsonb import TooLarge, as_jsonb_has_it
    from nexus_actors.contract.wording import with_path

    if len(line) > LONGEST_LINE:
        return f"invalid_request: longer than {LONGEST_LINE >> 20} MB"
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "invalid_request: not UTF-8"
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:  # also what the service accepts, but not jsonb
        told = f"invalid_request: not JSON from character {error.pos} on"
        unfinished = not text[error.pos :].strip()
        return f"{told}: a line holds one whole request" if unfinished else told
    except (ValueError, RecursionError):
        fields = None
    if (path := unstorable_at(text, fields)) is not None:
        told = "expected text without NUL and halves of surrogate pairs"
        return f"invalid_request: {with_path(path or None, told)}"
    text = with_id(text, fields)
    try:
        seen = as_jsonb_has_it(text, megabytes << 20)
    except TooLarge as error:
        return _too_large(error.size, megabytes)
    decoded = decode_request(seen, bounds)
    if isinstance(decoded, Refusal):
        return _all_told(seen, decoded, bounds)
    return Good(number, decoded.request_id, text, decoded.unknown, decoded)


def with_id(text: str, fields: object) -> str:
    """The text of a request, with an id added if it has none. `fields` is the parsed text."""
    import json
    import uuid

    if not isinstance(fields, dict) or fields.get("request_id") is not None or "request" in fields:
        return text
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"request_id": str(uuid.uuid4()), **present}, ensure_ascii=False)


def _too_large(size: int, megabytes: int) -> str:
    from nexus_actors.contract.bounds import too_large

    return f"invalid_request: {too_large(f'{size:,} bytes', megabytes)}"


def _all_told(text: str, first: "Refusal", bounds: "Bounds") -> str:
    """All errors of a request, and names of fields that are probably misspelt."""
    from nexus_actors.contract.every_fault import every_fault, unknown_names

    told = [f"{fault.type}: {fault.message}" for fault in every_fault(text, first, bounds)]
    for name in unknown_names(text):
        if (close := _close(name)) is not None:
            told.append(f"{name} is no field: did you mean {close}?")
    return "; ".join(told)


def _close(name: str) -> str | None:
    """The field that was probably meant. Only identifiers are considered."""
    from nexus_actors.contract.wire import FIELDS
    from nexus_actors.settings.suggestions import nearest

    is_name = name.isidentifier() and name != "request"
    return nearest(name, FIELDS, cutoff=0.75) if is_name else None


def _unheard(settings: "Settings", request: "LLMRequest") -> Sequence[str]:
    """The note that the result will have if this config lacks the request's provider."""
    if request.provider == "auto" or request.provider in settings.providers:
        return ()
    from nexus_actors.routing import unheard

    note = unheard(request, settings)
    return () if note is None else (note,)


async def _send(
    pool: "PostgresPool", queue: str, batch: Sequence[Good], done: Done
) -> list[Mistake]:
    """Send a batch in one statement, then print its ids: a printed id is a sent one.

    jsonb may refuse a request that passed our checks; then each request is sent by itself.
    """
    from nexus_actors.storage.errors import StorageRefused

    known = await _known(pool, [line.request_id for line in batch])
    done.under_way = len(batch)
    try:
        texts = [line.text for line in batch]
        await pool.run(_send_batch, queue, texts, _headers(batch, done.traceparent))
    except StorageRefused as error:
        if len(batch) == 1:
            return [(batch[0].number, str(error))]
        return [mistake for line in batch for mistake in await _send(pool, queue, [line], done)]
    done.under_way = 0
    done.sent += len(batch)
    done.known += known
    for line in batch:
        say(line.request_id)
    sys.stdout.flush()
    return []


async def _known(pool: "PostgresPool", ids: Sequence[str]) -> int:
    """How many of the ids the journal knows; 0 if the role may not read it, as a producer's."""
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres.journal import count_known

    try:
        return await pool.run(count_known, ids)
    except StorageError:
        return 0


async def _send_batch(
    connection: Any, queue: str, messages: Sequence[str], headers: Sequence[str | None]
) -> None:
    statement = "SELECT pgmq.send_batch($1, $2::jsonb[], $3::jsonb[])"
    await connection.fetch(statement, queue, messages, headers)


def _headers(batch: Sequence[Good], traceparent: str | None) -> list[str | None]:
    """Headers as JSON. A request's own traceparent has precedence, so it gets no header."""
    import json

    headers = None if traceparent is None else json.dumps({"traceparent": traceparent})
    return [None if line.request.traceparent else headers for line in batch]


@contextmanager
def _progress(source: IO[bytes]) -> Iterator[Any]:
    """Show a bar on standard error if it is a terminal. Yields a function that takes bytes done."""
    import os
    import stat

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal or sys.stdout.isatty():
        # Ids on the same terminal already show the progress, and would break up the bar.
        yield lambda _size: None
        return
    status = os.fstat(source.fileno())
    total = status.st_size if stat.S_ISREG(status.st_mode) else None
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total)
        yield lambda size: progress.advance(task, size)
