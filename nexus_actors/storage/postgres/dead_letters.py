"""Dead letters, for operators who look through them, send them again or delete them.

A letter may contain anything, and may be huge as text. So a list fetches a few fields of each, cut;
an action on a letter uses its number; and a letter that cannot be read, sent or deleted does not
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
"""Bytes of a letter that is shown whole."""
LONGEST: Final = 300
"""Characters of a field in a list."""
PAGE: Final = 500
"""Letters of a statement."""
OLDEST: Final = 1000 * 366 * 86_400.0
"""Seconds. No age is greater."""
GONE: Final = "there is no such letter"
OF_ANOTHER_KIND: Final = "there is no such letter of that kind"
IN_OTHER_HANDS: Final = "somebody else has it in hand"
NOT_ARCHIVED: Final = "its request was too large for a letter, and is no longer in the archive"
RESULT_GONE: Final = "its result was too large for a letter, and is no longer in the archive"
RESULT: Final = "result"
"""The reason in a list of a letter about a result."""
_NUMBERS: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Some of the dead letters: those that everything given is true of."""

    numbers: tuple[int, ...] | None = None
    """Their msg_ids."""
    reason: str | None = None
    other_than: str | None = None
    """A reason that they do not have. What cannot be read may have any."""
    provider: str | None = None
    """Empty: they name none."""
    older_than: float | None = None
    """Seconds."""
    limit: int = 1000
    newest: bool = False
    """Whether these are the last of them, the newest first; else the first of them."""

    @property
    def by_content(self) -> bool:
        """Whether letters must be looked into to tell."""
        return self.reason is not None or self.provider is not None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One request that can never succeed, or did not; or a result that `job_results` does not take,
    whose `reason` is `RESULT`, and `message` why. Its texts are cut to `LONGEST` characters."""

    number: int
    """The message's msg_id."""
    dead_at: datetime
    request_id: str | None = None
    reason: str | None = None
    provider: str | None = None
    message: str | None = None
    path: str | None = None
    """Of the field that was wrong."""
    attempts: int | None = None
    unreadable: str | None = None
    """Why nothing is known of it but its number."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A letter as text."""

    text: str | None
    """JSON; None where there is a fault."""
    bytes: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a letter that was to be sent again."""

    number: int
    request_id: str | None = None
    new_id: str | None = None
    """The old one, where it was sent under that. None: it was not sent, and is where it was; or it
    is a result."""
    why_not: str | None = None
    put_back: bool = False
    """It is a result, and in the results queue again."""

    @property
    def done(self) -> bool:
        """Whether the letter is gone."""
        return self.new_id is not None or self.put_back


async def find(pool: Runs, queues: Queues, which: Which) -> list[DeadLetter]:
    """Those letters, oldest first, unless `newest`; and those that cannot be read, which may be
    among them."""
    found: list[DeadLetter] = []
    async with aclosing(_pages(pool, queues, which, "dead_list")) as pages:
        async for page in pages:
            found += (letter for letter in page if letter.unreadable or matches(letter, which))
            if len(found) >= which.limit:
                break
    return found[: which.limit]


async def numbers(pool: Runs, queues: Queues, which: Which) -> list[int]:
    """The numbers of those that `which` says without a look into them, oldest first, unless
    `newest`."""
    found: list[int] = []
    async with aclosing(_pages(pool, queues, which, "dead_numbers")) as pages:
        async for page in pages:
            found += (letter.number for letter in page)
            if len(found) >= which.limit:
                break
    return found[: which.limit]


async def show(pool: Runs, queues: Queues, number: int) -> Whole | None:
    """All of a letter, the request too; None if there is none of this number."""
    if number not in _NUMBERS:
        return None
    row = await pool.run(_first, queues.query("dead_show"), number, LARGEST)
    if row is None:
        return None
    text = "null" if row["body"] is None and row["fault"] is None else row["body"]
    return Whole(text, row["bytes"] or 0, row["fault"])


async def find_one(pool: Runs, queues: Queues, name: str) -> tuple[int, Whole | None]:
    """The letter of this number; else the last one about the request of this id."""
    number = int(name) if re.fullmatch(r"[0-9]{1,18}", name) else -1
    if number < 0 or not await numbers(pool, queues, Which(numbers=(number,))):
        async for page in _pages(pool, queues, Which(), "dead_list"):
            number = next((it.number for it in reversed(page) if it.request_id == name), number)
    return number, await show(pool, queues, number)


async def retry(pool: Runs, queues: Queues, number: int, *, same_id: bool = False) -> Retried:
    """Send the request of one letter again, or put its result back. Raises StorageError; then
    nothing is sent, unless the connection was lost in the middle. `same_id`: under its own id,
    where no success was published; its result will supersede the error.
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
    return Retried(number, request_id, new_id)


async def purge(
    pool: Runs,
    queues: Queues,
    chosen: Sequence[int],
    refused: Callable[[int, StorageError], None],
) -> int:
    """Delete them for good; how many there were. `refused` is called for each that is refused by
    itself, and stays."""
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
    """Letters in order of their numbers. A page that fails is halved; one that fails alone is
    unreadable."""
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
    if "texts" not in row.keys():  # noqa: SIM118 - a record is searched by its values
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
    """Whether all is true of it that is told by what it holds."""
    is_meant = which.other_than is None or letter.reason != which.other_than
    given = (which.reason, letter.reason), (which.provider, letter.provider or "")
    return is_meant and all(wanted in (None, found) for wanted, found in given)


async def _fetch(connection: Connection, sql: str, *arguments: object) -> list[asyncpg.Record]:
    return await connection.fetch(sql, *arguments)


async def _first(connection: Connection, sql: str, *arguments: object) -> asyncpg.Record | None:
    return await connection.fetchrow(sql, *arguments)
