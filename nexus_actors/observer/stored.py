"""Reads requests, waits and dead letters from the database, for one service or all, and carries out
actions in the database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from nexus_actors.contract.shown_text import printable
from nexus_actors.monitoring import actions
from nexus_actors.monitoring.letters import look_at_request, read_letter, read_letters
from nexus_actors.monitoring.reading import Looking, Reader
from nexus_actors.monitoring.story import Story, find_story, notes_of, steps_of
from nexus_actors.observer.snapshots import (
    LetterSnapshot,
    NodeSnapshot,
    RequestSnapshot,
    WaitingSnapshot,
)
from nexus_actors.observer.source import Action, Away
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.dead_letters import DeadLetter
from nexus_actors.storage.postgres.journal import JournalEntry
from nexus_actors.storage.postgres.node_store import NodeStatus
from nexus_actors.storage.postgres.waiting import read_waiting

MOST: Final = 100
"""The most requests of each kind that are listed."""
_COLUMNS: Final = (
    "request_id",
    "state",
    "received_at",
    "leased_at",
    "finished_at",
    "owner",
    "lane",
    "agent_id",
    "task_type",
    "complexity",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "latency_ms",
    "error_type",
    "retry_of",
)
"""Columns of the journal that are shown; none has the text of a request or an answer."""
_SHOWN: Final = 400
"""The most characters of a value in a story."""


class Stored:
    """The part of `Source` that reads the database alone. `by` names the user in the audit."""

    def __init__(self, reader: Reader, by: str, *, shows_messages: bool = False) -> None:
        """`shows_messages`: whether the requests of dead letters may be shown."""
        self._reader = reader
        self._looking = Looking(reader)
        self._by = by
        self._shows_messages = shows_messages

    async def requests(self) -> Sequence[RequestSnapshot]:
        """See Source."""
        with answering():
            return [_request(row) for row in await self._reader.read("recent_requests", MOST)]

    async def request(self, request_id: str) -> str:
        """See Source."""
        with answering():
            queue = self._reader.queues.requests
            return "\n".join(
                _story_lines(await find_story(self._looking, queue, request_id), request_id)
            )

    async def waiting(self) -> Sequence[WaitingSnapshot]:
        """See Source."""
        queue = self._reader.queues.requests
        with answering():
            groups, rows = await self._looking.run(read_waiting, queue, None, None, MOST)
        nobody = {"request_id": None, "agent_id": None, "before": None}
        seen = [_waits(nobody | row) for row in groups]
        return seen + [_waits({"requests": 1} | row) for row in rows]

    async def letters(self) -> Sequence[LetterSnapshot]:
        """See Source."""
        with answering():
            return [_letter(it) for it in (await read_letters(self._reader)).letters]

    async def letter(self, number: int) -> str:
        """See Source."""
        with answering():
            found = await read_letter(self._reader, number)
            if found is None:
                raise Away(f"there is no dead letter {number}")
            return "\n".join([*_fields(found), "", await self._request_of(number)])

    async def _request_of(self, number: int) -> str:
        """The letter's request, if it may be shown. Showing it is recorded."""
        if not self._shows_messages:
            return f"Its request: nexus dead show {number} ([dashboard] show_messages is false)"
        looked = await look_at_request(self._reader, number, self._by)
        if looked is None:
            return "It is gone."
        message = looked.message
        if message.text is None:
            return f"Its request is not shown: {message.why_not}"
        rest = f"\n… all of its {message.bytes:,} bytes: nexus dead show {number} --all"
        return f"Its request:\n{message.text}{rest if message.is_cut else ''}"

    def meant(self, action: Action) -> Action:
        """See Source."""
        if not isinstance(action, actions.Action):
            return action
        return action.among(self._reader.queues)

    async def act(self, action: Action) -> str:
        """See Source."""
        if not isinstance(action, actions.Action):
            raise Away("this is not done by the database")
        with answering():
            return await action.carry_out(self._reader, self._by)


@contextmanager
def answering() -> Iterator[None]:
    """Turn errors of the storage into Away."""
    try:
        yield
    except StorageError as error:
        raise Away(str(error).removeprefix("the database refused: ")) from error


def node_snapshot(it: NodeStatus) -> NodeSnapshot:
    """A snapshot of a row of nexus.node_states."""
    return NodeSnapshot(**{name: getattr(it, name) for name in NodeSnapshot.__slots__})


def _waits(row: Mapping[str, Any]) -> WaitingSnapshot:
    return WaitingSnapshot(**{name: row[name] for name in WaitingSnapshot.__slots__})


def _request(row: Mapping[str, Any]) -> RequestSnapshot:
    known: dict[str, Any] = {name: row[name] for name in RequestSnapshot.__slots__}
    if known["cost"] is not None:
        known["cost"] = float(known["cost"])
    return RequestSnapshot(**known)


def _letter(it: DeadLetter) -> LetterSnapshot:
    return LetterSnapshot(
        number=it.number,
        request_id=it.request_id,
        reason=it.reason,
        provider=it.provider,
        dead_at=it.dead_at,
        wrong=f"unreadable: {it.unreadable}" if it.unreadable else it.message or "-",
    )


def _fields(it: DeadLetter) -> Iterator[str]:
    for name in DeadLetter.__slots__:
        value = getattr(it, name)
        if value is not None:
            yield f"{name:<18} {printable(str(value), _SHOWN)}"


def _story_lines(story: Story, request_id: str) -> Iterator[str]:
    """A request's story, line by line, without its messages."""
    if story.queued is not None:
        yield printable(str(story.queued))
        yield from (f"paused: {it['subject']} {printable(it['name'])}" for it in story.pauses)
    elif story.entry is None:
        why = f"the queue cannot be searched: {story.unsearched}" if story.unsearched else ""
        yield printable(f"The journal has no request {request_id}; {why or story.looked}")
    else:
        if story.wait is not None:
            detail = printable(story.wait["detail"] or "-", _SHOWN)
            yield f"waits for {story.wait['reason']}: {detail}\n"
        yield from _entry(story.entry)


def _entry(entry: JournalEntry) -> Iterator[str]:
    for name in _COLUMNS:
        if entry.request.get(name) is not None:
            yield f"{name:<18} {printable(str(entry.request[name]), _SHOWN)}"
    for step in steps_of(entry):
        detail = ", ".join(f"{name} {value}" for name, value in step["detail"].items())
        yield f"\nstep {step['name']}: {step['outcome']}"
        yield f"  {printable(detail, 2000)}"
    for it in entry.attempts:
        model = printable(f"{it['provider'] or '-'}/{it['model'] or '-'}", _SHOWN)
        duration = "" if it["duration_ms"] is None else f", {it['duration_ms']} ms"
        cost = "" if it["cost"] is None else f", ${it['cost']}"
        yield f"\nattempt {it['number']}: {model}, {it['outcome']}{duration}{cost}"
        yield from (f"  {printable(note, _SHOWN)}" for note in notes_of(it))
