"""Dead letters: groups of them, a single one, and its request for those who may see it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from nexus_actors.contract.shown_text import as_seen_json
from nexus_actors.monitoring.messages import LARGEST, SHOWN, Message, message_of
from nexus_actors.monitoring.reading import Looking, Reader, parsed
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.dead_letters import DeadLetter, Which

LOOKED_AT: Final = 2_000
"""The most letters read at once, newest first."""
EXACT: Final = 10_000
"""The highest count. Beyond it, only "more" is known."""
PAGE: Final = 50
EDITABLE: Final = 2**20
"""The largest request that can be edited, in bytes."""
MOST_SEARCHED: Final = 20_000
"""The most letters searched for one about a given request."""


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one reason and provider."""

    reason: str | None
    """None if the letter has no reason or is unreadable."""
    provider: str | None
    letters: int
    oldest: datetime
    newest: datetime
    example: DeadLetter
    """The newest one."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters, as far as they were read."""

    groups: Sequence[Group]
    """Groups of all letters that were read, largest first."""
    letters: Sequence[DeadLetter]
    """A page of the matching letters, newest first."""
    matching: int
    """How many of the letters that were read match."""
    total: int
    """How many exist, up to `EXACT` + 1."""
    looked: int
    """How many were read."""
    after: int | None
    """`after` of the next page; None if this was the last."""
    further: int | None
    """`begin` for the next letters that were not read; None if all were."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a letter's request."""

    at: str
    by: str
    changed: Sequence[str]
    """Names of the changed fields."""


@dataclass(frozen=True, slots=True)
class LetterRequest:
    """The request of a letter, and its changes."""

    message: Message
    edits: Sequence[Edit]


async def read_letters(
    reader: Reader,
    reason: str | None = None,
    provider: str | None = None,
    *,
    begin: int | None = None,
    after: int | None = None,
) -> Letters:
    """Read the newest letters with numbers below `begin`, `LOOKED_AT` at most, and group them. The
    page holds those with this reason and provider (empty: letters that name none; None: any), with
    numbers below `after`. Raises StorageError."""
    rows = await reader.read("letters_newest", begin, LOOKED_AT)
    [count] = await reader.read("letters_count", EXACT + 1)
    numbers = tuple(int(row["number"]) for row in rows)
    which = Which(numbers=numbers, limit=LOOKED_AT)
    found = await dead_letters.find(Looking(reader), reader.queues, which) if numbers else []
    found.reverse()
    asked = Which(reason=reason, provider=provider)
    meant = [it for it in found if dead_letters.matches(it, asked)]
    page = [it for it in meant if after is None or it.number < after][: PAGE + 1]
    return Letters(
        groups=_groups(found),
        letters=page[:PAGE],
        matching=len(meant),
        total=count["letters"],
        looked=len(numbers),
        after=page[PAGE - 1].number if len(page) > PAGE else None,
        further=min(numbers) if len(numbers) == LOOKED_AT else None,
    )


async def read_letter(reader: Reader, number: int) -> DeadLetter | None:
    """One letter, or None if there is none with this number. Raises StorageError."""
    which = Which(numbers=(number,), limit=1)
    found = await dead_letters.find(Looking(reader), reader.queues, which)
    return found[0] if found else None


async def find_letters(reader: Reader, request_ids: Collection[str]) -> dict[str, DeadLetter]:
    """The newest letter about each of these requests, by request id, among the newest
    `MOST_SEARCHED` letters. Raises StorageError."""
    about: dict[str, DeadLetter] = {}
    begin: int | None = None
    for _ in range(MOST_SEARCHED // LOOKED_AT):
        rows = await reader.read("letters_newest", begin, LOOKED_AT)
        if not rows or len(about) == len(request_ids):
            break
        numbers = tuple(int(row["number"]) for row in rows)
        which = Which(numbers=numbers, limit=LOOKED_AT)
        for it in reversed(await dead_letters.find(Looking(reader), reader.queues, which)):
            if it.request_id is not None and it.request_id in request_ids:
                about.setdefault(it.request_id, it)
        begin = min(numbers)
    return about


async def read_edits(reader: Reader, number: int) -> list[Edit]:
    """Who changed the request of a letter, when, and the names of the changed fields, without their
    values. Raises StorageError."""
    rows = await reader.read("letter_request", number, 0, 0)
    edits: Any = parsed(rows[0]["edits"]) if rows else None
    return [_edit(it) for it in edits or []]


async def look_at_request(reader: Reader, number: int, by: str) -> LetterRequest | None:
    """The request of a letter, after recording that `by` looks. None if there is no such letter.
    Raises StorageError; if the record fails, nothing is read."""
    await reader.act("record", "look", f"letter {number}", None, by)
    rows = await reader.read("letter_request", number, SHOWN + 1, LARGEST)
    if not rows:
        return None
    [row] = rows
    edits: Any = parsed(row["edits"]) or []
    return LetterRequest(message_of(row), [_edit(it) for it in edits])


async def editable_request(reader: Reader, number: int, by: str) -> str | None:
    """The whole request of a letter as indented JSON text, after recording that `by` looks. None if
    there is no such letter, it holds no request, or the request is larger than `EDITABLE` bytes.
    Raises StorageError."""
    await reader.act("record", "look", f"letter {number}", None, by)
    rows = await reader.read("letter_request", number, EDITABLE, EDITABLE)
    if not rows or rows[0]["body"] is None:
        return None
    # Numbers keep their spelling.
    text: str = msgspec.json.format(rows[0]["body"], indent=2)
    return as_seen_json(text)


def _edit(stored: Mapping[str, Any]) -> Edit:
    changed = stored.get("changed")
    names = [str(it) for it in changed] if isinstance(changed, list) else []
    return Edit(str(stored.get("at")), str(stored.get("by")), names)


def _groups(letters: Sequence[DeadLetter]) -> list[Group]:
    """Group letters that are sorted newest first."""
    of: dict[tuple[str | None, str | None], list[DeadLetter]] = {}
    for it in letters:
        of.setdefault((it.reason, it.provider or None), []).append(it)
    groups = [
        Group(reason, provider, len(found), found[-1].dead_at, found[0].dead_at, found[0])
        for (reason, provider), found in of.items()
    ]
    return sorted(groups, key=lambda it: -it.letters)
