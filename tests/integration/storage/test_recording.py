"""What is done to a dead letter is recorded in the transaction that does it: both, or neither."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from nexus_actors.monitoring.recording import Recording, Writing
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import send, value

DEAD: Final = "ai_requests_dead"
TOO_LONG: Final = "a" * 256
REQUEST: Final = {"request_id": "r", "request": {"request_id": "r", "messages": []}}
ARCHIVED: Final = {"request_id": "r", "request": None, "archived_msg_id": 1}
RESULT: Final = {"request_id": "r", "reason": "no", "result": {"request_id": "r"}}
Act = Callable[[Recording, PostgresDatabase, int], Awaitable[object]]


async def _retry(recording: Recording, db: PostgresDatabase, number: int) -> object:
    return await dead_letters.retry(recording, db.queues, number)


async def _purge(recording: Recording, db: PostgresDatabase, number: int) -> object:
    def refused(_: int, error: StorageError) -> None:
        raise error

    return await dead_letters.purge(recording, db.queues, [number], refused)


async def _counts(db: PostgresDatabase) -> tuple[int, ...]:
    """How many letters there are, requests, results, letters in the archive and entries."""
    tables = (f"pgmq.q_{DEAD}", "pgmq.q_ai_requests", "pgmq.q_ai_results", f"pgmq.a_{DEAD}")
    counts = [f"SELECT count(*) FROM {it}" for it in (*tables, "nexus.audit")]  # noqa: S608 - ours
    return tuple([await value(db, it) for it in counts])


@pytest.mark.parametrize(
    ("letter", "act", "done"),
    [
        (REQUEST, _retry, (0, 1, 0, 1, 1)),
        (ARCHIVED, _retry, (0, 1, 0, 1, 1)),
        (RESULT, _retry, (0, 0, 1, 1, 1)),
        (REQUEST, _purge, (0, 0, 0, 0, 1)),
    ],
    ids=["retry", "archived", "result", "purge"],
)
async def test_what_cannot_be_recorded_is_not_done(
    db: PostgresDatabase, letter: dict[str, object], act: Act, done: tuple[int, ...]
) -> None:
    await value(db, "SELECT pgmq.archive('ai_requests', $1::bigint)", *await send(db, "r"))
    assert await value(db, "SELECT msg_id FROM pgmq.a_ai_requests") == 1
    [number] = await send(db, letter, queue=DEAD)
    with pytest.raises(StorageError, match=re.escape("a by of 255")):
        await act(Recording(Writing(db.pool), "act", TOO_LONG), db, number)
    assert await _counts(db) == (1, 0, 0, 0, 0)
    await act(Recording(Writing(db.pool), "act", "joe"), db, number)
    assert await _counts(db) == done
