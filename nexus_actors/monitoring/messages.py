"""A request's message and its answer, the only content that is ever shown. Each look is recorded
before anything is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.shown_text import as_seen_json, json_text
from nexus_actors.monitoring.reading import Reader, Row
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.encoding import job_result_id

SHOWN: Final = 1 << 16
"""The most characters of a message that are shown."""
LARGEST: Final = 16 * 2**20
"""The largest message that is opened, in bytes."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as text."""

    text: str | None
    """JSON, only its beginning if it is long; None: it is not shown."""
    bytes: int = 0
    """The size of the whole message."""
    is_cut: bool = False
    why_not: str = ""
    """Why it is not shown."""


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of one request."""

    request: Message
    answer: Message


async def read_messages(reader: Reader, request: Mapping[str, Any], by: str) -> Messages:
    """Read the messages of a row of the journal, after recording that `by` looks. Raises
    StorageError if the record fails; nothing is read then."""
    await reader.act("record", "look", f"messages of {request['request_id']}", None, by)
    name = "story_request" if request["finished_at"] is not None else "story_queued"
    key = (request["request_id"], request["msg_id"])
    gone = "It is not in the archive (any more): see [queue] acknowledge and [retention]."
    asked = await _read(reader, gone, name, *key, SHOWN + 1, LARGEST)
    none = "There is no result in job_results."
    result_id = job_result_id(request["request_id"])
    answered = await _read(reader, none, "story_answer", result_id, SHOWN + 1, LARGEST)
    return Messages(asked, answered)


def message_of(row: Row) -> Message:
    """The message of a row with `body`, `bytes` and `fault`."""
    body: str | None = row["body"]
    if body is None:
        return Message(None, row["bytes"] or 0, why_not=str(row["fault"] or "It is empty."))
    if len(body) > SHOWN:
        return Message(as_seen_json(body[:SHOWN]), row["bytes"], is_cut=True)
    match parse(body):
        case Parsed(value):
            return Message(json_text(value, indent=2), row["bytes"])
        case _:
            return Message(as_seen_json(body), row["bytes"])


async def _read(reader: Reader, none: str, name: str, *arguments: object) -> Message:
    try:
        rows = await reader.read(name, *arguments)
    except StorageError as error:  # a privilege is missing, or a message is unreadable
        return Message(None, why_not=f"It cannot be read: {error}")
    return message_of(rows[0]) if rows else Message(None, why_not=none)
