"""Dead letters: operators list them, send their requests again, or delete them.

A letter may contain anything, and its text may be huge. So lists fetch only a few fields, cut
short; actions use the letter's number; and a letter that cannot be read, sent or deleted does not
affect the others.
"""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, cast

import asyncpg

from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import Connection, Runs
from nexus_actors.storage.postgres.errors import is_of_rows
from nexus_actors.storage.postgres.sql import Queues

LARGEST: Final = 64 * 2**20
"""The largest letter that is shown in full, in bytes."""
LONGEST: Final = 300
"""The most characters of a field in a list."""
PAGE: Final = 500
"""The most letters per statement."""
OLDEST: Final = 1000 * 366 * 86_400.0
"""The greatest age that a letter can have, in seconds."""
GONE: Final = "there is no such letter"
OF_ANOTHER_KIND: Final = "there is no such letter of that kind"
ABSENT: Final = (GONE, OF_ANOTHER_KIND)
IN_OTHER_HANDS: Final = "somebody else has it in hand"
NOT_ARCHIVED: Final = "its request was too large for a letter, and is no longer in the archive"
RESULT_GONE: Final = "its result was too large for a letter, and is no longer in the archive"
RESULT: Final = "result"
"""The listed reason of a letter about a result."""
_NUMBERS: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Selects the dead letters that meet all given conditions."""

    numbers: tuple[int, ...] | None = None
    """Their msg_ids."""
    reason: str | None = None
    other_than: str | None = None
    """A reason to exclude. Unreadable letters, whose reason is unknown, are included."""
    provider: str | None = None
    """Empty: only letters without a provider."""
    older_than: float | None = None
    """Seconds."""
    limit: int = 1000
    newest: bool = False
    """Whether to select the newest letters, newest first, instead of the oldest."""

    @property
    def by_content(self) -> bool:
        """Whether the selection depends on the letters' content."""
        return self.reason is not None or self.provider is not None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A request that failed for good, or a result that `job_results` does not accept: then `reason`
    is `RESULT`, and `message` is the cause. Texts are cut to `LONGEST` characters."""

    number: int
    """The message's msg_id."""
    dead_at: datetime
    request_id: str | None = None
    reason: str | None = None
    provider: str | None = None
    message: str | None = None
    path: str | None = None
    """The path of the invalid field."""
    attempts: int | None = None
    unreadable: str | None = None
    """Why only the letter's number is known."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete letter as text."""

    text: str | None
    """JSON; None if there is a fault."""
    bytes: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Retried:
    """The outcome of a retry."""

    number: int
    request_id: str | None = None
    new_id: str | None = None
    """The id of the request that was sent; it equals the old id with `same_id`. None if none was
    sent, because of `why_not` or because the letter has a result."""
    why_not: str | None = None
    put_back: bool = False
    """The letter has a result, which is in the results queue again."""
    reason: str | None = None
    """Why the request that was sent had failed."""

    @property
    def done(self) -> bool:
        """Whether the letter has left the queue."""
        return self.new_id is not None or self.put_back


async def find(pool: Runs, queues: Queues, which: Which) -> list[DeadLetter]:
    """Find letters, oldest first unless `newest`. Unreadable letters are always included, as they
    may match."""
    found: list[DeadLetter] = []
    async with aclosing(_pages(pool, queues, which, "dead_list")) as pages:
        async for page in pages:
            found += (letter for letter in page if letter.unreadable or matches(letter, which))
            if len(found) >= which.limit:
                break
    return found[: which.limit]


async def numbers(pool: Runs, queues: Queues, which: Which) -> list[int]:
    """The numbers of letters, selected without their content, oldest first unless `newest`."""
    found: list[int] = []
    async with aclosing(_pages(pool, queues, which, "dead_numbers")) as pages:
        async for page in pages:
            found += (letter.number for letter in page)
            if len(found) >= which.limit:
                break
    return found[: which.limit]


async def show(pool: Runs, queues: Queues, number: int) -> Whole | None:
    """Read a complete letter, including its request; None if no letter has this number."""
    if number not in _NUMBERS:
        return None
    row = await pool.run(_first, queues.query("dead_show"), number, LARGEST)
    if row is None:
        return None
    text = "null" if row["body"] is None and row["fault"] is None else row["body"]
    return Whole(text, row["bytes"] or 0, row["fault"])


async def find_one(pool: Runs, queues: Queues, name: str) -> tuple[int, Whole | None]:
    """Read the letter with this number, or else the last one about the request with this id."""
    number = int(name) if re.fullmatch(r"[0-9]{1,18}", name) else -1
    if number < 0 or not await numbers(pool, queues, Which(numbers=(number,))):
        async for page in _pages(pool, queues, Which(), "dead_list"):
            number = next((it.number for it in reversed(page) if it.request_id == name), number)
    return number, await show(pool, queues, number)


async def retry(pool: Runs, queues: Queues, number: int, *, same_id: bool = False) -> Retried:
    """Send the request of one letter again, or put its result back. Raises StorageError; nothing is
    sent then, unless the connection was lost during the statement. `same_id`: keep the request's id
    if no success was published; the new result will supersede the error.
    """
    if number not in _NUMBERS:
        return Retried(number, why_not=GONE)
    sql = queues.query("dead_retry_same" if same_id else "dead_retry")
    row = await pool.run(_first, sql, number)
    if row is not None and row["is_result"]:
        row = await pool.run(_first, queues.query("dead_retry_result"), number)
        if row is not None:
            why = None if row["is_sent"] else RESULT_GONE
            return Retried(number, row["request_id"], why_not=why, put_back=row["is_sent"])
    if row is None:
        left = await numbers(pool, queues, Which(numbers=(number,)))
        return Retried(number, why_not=IN_OTHER_HANDS if left else GONE)
    request_id, new_id = row["request_id"], row["new_id"]
    if row["why"] is not None:
        return Retried(number, request_id, why_not=row["why"])
    if not row["is_sent"]:
        sql = queues.query("dead_retry_archived")
        if await pool.run(_first, sql, number, row["archived"], request_id, new_id) is None:
            return Retried(number, request_id, why_not=NOT_ARCHIVED)
    return Retried(number, request_id, new_id, reason=row["reason"])


async def purge(
    pool: Runs,
    queues: Queues,
    chosen: Sequence[int],
    refused: Callable[[int, StorageError], None],
) -> int:
    """Delete letters for good. Returns how many. `refused` is called for each letter that the
    server refuses to delete on its own; it stays."""
    ids = [number for number in dict.fromkeys(chosen) if number in _NUMBERS]
    batches = [ids[start : start + PAGE] for start in range(0, len(ids), PAGE)][::-1]
    deleted = 0
    while batches:
        batch = batches.pop()
        try:
            row = await pool.run(_first, queues.query("dead_purge"), batch)
        except StorageError as error:
            if not is_of_rows(error):
                raise
            if len(batch) == 1:
                refused(batch[0], error)
            else:
                middle = len(batch) // 2
                batches += [batch[middle:], batch[:middle]]
        else:
            deleted += 0 if row is None else row[0]
    return deleted


async def _pages(
    pool: Runs, queues: Queues, which: Which, query: Literal["dead_list", "dead_numbers"]
) -> AsyncGenerator[list[DeadLetter], None]:
    """Pages of letters in order of their numbers. A page that fails is halved; a letter that fails
    on its own is unreadable."""
    chosen = which.numbers
    within = None if chosen is None else [it for it in chosen if it in _NUMBERS]
    older = None if which.older_than is None else min(which.older_than, OLDEST)
    if which.newest:
        newest, before = queues.query("dead_newest"), _NUMBERS.stop - 1
        while rows := await pool.run(_fetch, newest, before, within, older, PAGE):
            before = rows[-1]["number"]
            of_page = replace(which, numbers=tuple(it["number"] for it in rows), newest=False)
            yield [it async for page in _pages(pool, queues, of_page, query) for it in page][::-1]
        return
    after, portion = _NUMBERS.start, PAGE
    while True:
        sql, unreadable = queues.query(query), None
        try:
            rows = await pool.run(_fetch, sql, after, within, older, portion)
        except StorageError as error:
            if query == "dead_numbers" or not is_of_rows(error):
                raise
            if portion > 1:
                portion //= 2
                continue
            unreadable = str(error)
            rows = await pool.run(_fetch, queues.query("dead_numbers"), after, within, older, 1)
        else:
            portion = min(2 * portion, PAGE)
        if not rows:
            return
        page = sorted((_letter(row, unreadable) for row in rows), key=lambda it: it.number)
        yield page
        after = page[-1].number


def _letter(row: asyncpg.Record, unreadable: str | None) -> DeadLetter:
    number, dead_at = row["number"], row["dead_at"]
    if "texts" not in row.keys():  # noqa: SIM118 - `in` searches a record's values
        return DeadLetter(number, dead_at, unreadable=unreadable)
    *texts, attempts, is_result = cast("list[str | None]", row["texts"])
    request_id, reason, provider, message, path = map(_cut, texts)
    if is_result == "true":
        reason, message = RESULT, reason
    counted = int(attempts) if attempts and attempts.isdecimal() and len(attempts) < 10 else None
    return DeadLetter(number, dead_at, request_id, reason, provider, message, path, counted)


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def matches(letter: DeadLetter, which: Which) -> bool:
    """Whether the letter's content meets the conditions."""
    is_meant = which.other_than is None or letter.reason != which.other_than
    given = (which.reason, letter.reason), (which.provider, letter.provider or "")
    return is_meant and all(wanted in (None, found) for wanted, found in given)


async def _fetch(connection: Connection, sql: str, *arguments: object) -> list[asyncpg.Record]:
    return await connection.fetch(sql, *arguments)


async def _first(connection: Connection, sql: str, *arguments: object) -> asyncpg.Record | None:
    return await connection.fetchrow(sql, *arguments)
