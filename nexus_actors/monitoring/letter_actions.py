"""Actions on dead letters, one or all of a kind: send again, edit, delete."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import msgspec
import trio

from nexus_actors.contract.shown_text import printable
from nexus_actors.monitoring.actions import SHOWN, Action
from nexus_actors.monitoring.command_text import (
    command_line,
    sql_call,
    sql_recorded,
    sql_value,
)
from nexus_actors.monitoring.letter_statements import (
    chosen_letters,
    of_chosen,
    put_back,
    send_again,
)
from nexus_actors.monitoring.reading import Looking, Reader
from nexus_actors.monitoring.recording import Recording
from nexus_actors.storage.errors import StorageError, StorageRefused, StorageUnavailable
from nexus_actors.storage.postgres import dead_letters
from nexus_actors.storage.postgres.dead_letters import RESULT, DeadLetter, Retried, Which
from nexus_actors.storage.postgres.errors import is_of_rows
from nexus_actors.storage.postgres.sql import Queues

AT_ONCE: Final = 500
"""The most letters of one action."""
SEARCH_TIMEOUT: Final = 20.0
"""Seconds allowed to search for letters of a kind."""
_LONGEST_IN_SQL: Final = 4_000
"""The longest request, in characters, that is written into the statement itself."""
_MOST_REASONS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfLetters(Action):
    queues: Queues = field(default_factory=Queues)

    def among(self, queues: Queues) -> Self:
        """See Action."""
        return replace(self, queues=queues)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLetter(_OfLetters):
    """Send one request again."""

    number: int
    same_id: bool = False
    """Keep the request's id; otherwise it gets a new one."""

    @property
    def question(self) -> str:
        """See Action."""
        under = "the same id, so its result replaces the error," if self.same_id else "a new id"
        return (
            f"Send the request of letter {self.number} again, under {under}? It gets all its"
            " attempts again, and the letter is archived. A result that job_results refused is"
            " put back."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        if self.same_id:
            sent = (
                f"SELECT nexus.send_again({sql_value(self.queues.requests)},"
                " message ->> 'request_id', (message ->> 'msg_id')::bigint, message -> 'request')\n"
                f"FROM pgmq.q_{self.queues.dead} WHERE msg_id = {self.number};"
            )
        else:
            sent = f"{send_again(self.queues)}\nWHERE msg_id = {self.number};"
        archive = sql_call("pgmq.archive", self.queues.dead, self.number)
        return sql_recorded(
            "retry", f"letter {self.number}", {"letters": [self.number]}, sent, archive
        )

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("dead", "retry", self.number, same_id=self.same_id)

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        return await _about(reader, self.number)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        recording = Recording(reader, "retry", by)
        done = await dead_letters.retry(recording, reader.queues, self.number, same_id=self.same_id)
        if not done.done:
            raise StorageRefused(f"letter {self.number} is not sent: {done.why_not}")
        if done.put_back:
            return f"Letter {self.number}: its result is put back; job_results may accept it now."
        return f"Letter {self.number} is sent as {printable(done.new_id or '', SHOWN)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeLetter(_OfLetters):
    """Delete one letter."""

    number: int

    @property
    def question(self) -> str:
        """See Action."""
        return f"Delete letter {self.number} for good, its request included?"

    @property
    def sql(self) -> str:
        """See Action."""
        delete = sql_call("pgmq.delete", self.queues.dead, self.number)
        told = {"letters": [self.number], "deleted": 1}
        return sql_recorded("purge", f"letter {self.number}", told, delete)

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("dead", "purge", self.number)

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        return await _about(reader, self.number)

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        return await _purge(reader, [self.number], by)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditLetter(_OfLetters):
    """Replace the request of a letter."""

    number: int
    request: str
    """JSON text of an object."""

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Replace the request of letter {self.number} with the one below? The old one is kept"
            " in the letter, and the names of the changed fields are recorded."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        named = {} if self.queues.dead == Queues().dead else {"queue": self.queues.dead}
        if len(self.request) <= _LONGEST_IN_SQL:
            request = _on_one_line(self.request)
            return sql_call("nexus.edit_letter", self.number, request, **named)
        call = sql_call("nexus.edit_letter", self.number, "FILE", **named)
        return "\\set request `cat FILE`\n" + call.replace("'FILE'", ":'request'", 1)

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("dead", "edit", self.number, request="FILE")

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        await reader.act("act_edit_letter", self.number, self.request, by)
        return f"Letter {self.number} holds the new request. Retry it to send it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLetters(_OfLetters):
    """Send the requests of a kind of letters again, the newest `AT_ONCE` at most."""

    reason: str
    provider: str | None = None
    """Empty: letters that name no provider; None: all letters."""

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Send the requests of letters {_kind(self.reason, self.provider)} again, each under a"
            f" new id, {AT_ONCE} at most, newest first? Each gets all its attempts again,"
            " and its letter is archived."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        send = put_back if self.reason == RESULT else send_again
        return of_chosen(
            chosen_letters(self.queues, self.reason, self.provider, AT_ONCE),
            "retry",
            f"{send(self.queues)}\nWHERE msg_id IN (TABLE chosen);",
            f"SELECT pgmq.archive({sql_value(self.queues.dead)}, ARRAY(TABLE chosen));",
        )

    @property
    def cli(self) -> str:
        """See Action."""
        options = _options(self.reason, self.provider)
        return command_line("dead", "retry", **options)

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        return _meant(await _of_kind(reader, self.reason, self.provider))

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        letters = await _of_kind(reader, self.reason, self.provider)
        # Oldest first, the order in which they became dead letters.
        return await retry_all(reader, sorted(it.number for it in letters), by)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeLetters(_OfLetters):
    """Delete the letters of a kind, the newest `AT_ONCE` at most."""

    reason: str
    provider: str | None = None
    """Empty: letters that name no provider; None: all letters."""

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Delete the letters {_kind(self.reason, self.provider)} for good, requests included,"
            f" {AT_ONCE} at most, newest first?"
        )

    @property
    def sql(self) -> str:
        """See Action."""
        chosen = chosen_letters(self.queues, self.reason, self.provider, AT_ONCE)
        delete = f"SELECT pgmq.delete({sql_value(self.queues.dead)}, ARRAY(TABLE chosen));"
        return of_chosen(chosen, "purge", delete)

    @property
    def cli(self) -> str:
        """See Action."""
        options = _options(self.reason, self.provider)
        return command_line("dead", "purge", **options)

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        return _meant(await _of_kind(reader, self.reason, self.provider))

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        letters = await _of_kind(reader, self.reason, self.provider)
        return await _purge(reader, [it.number for it in letters], by)


async def retry_all(reader: Reader, numbers: Sequence[int], by: str) -> str:
    """Send the requests of these letters again, one by one. Returns how many were sent, and why not
    the others. Raises StorageError if the database fails; those sent before remain sent."""
    recording = Recording(reader, "retry", by)
    told: list[Retried] = []
    for number in numbers:
        try:
            told.append(await dead_letters.retry(recording, reader.queues, number))
        except StorageError as error:
            if not is_of_rows(error):
                done = sum(it.done for it in told)
                raise StorageUnavailable(f"{error}; {done} were sent before") from error
            told.append(Retried(number, why_not=str(error)))
    left = [f"letter {it.number}: {it.why_not}" for it in told if not it.done]
    done = sum(it.done for it in told)
    return f"Sent again: {done} of {len(numbers)}.{_whys(left)}"


async def _purge(reader: Reader, numbers: Sequence[int], by: str) -> str:
    left: list[str] = []

    def leave(number: int, error: StorageError) -> None:
        left.append(f"letter {number}: {error}")

    recording = Recording(reader, "purge", by)
    deleted = await dead_letters.purge(recording, reader.queues, numbers, leave)
    return f"Deleted: {deleted} of {len(numbers)}.{_whys(left)}"


async def _of_kind(reader: Reader, reason: str, provider: str | None) -> list[DeadLetter]:
    which = Which(reason=reason, provider=provider, limit=AT_ONCE, newest=True)
    with trio.move_on_after(SEARCH_TIMEOUT):
        found = await dead_letters.find(Looking(reader), reader.queues, which)
        return [it for it in found if it.unreadable is None]
    raise StorageUnavailable(f"searching for them takes more than {SEARCH_TIMEOUT:g} s")


async def _about(reader: Reader, number: int) -> str:
    which = Which(numbers=(number,), limit=1)
    found = await dead_letters.find(Looking(reader), reader.queues, which)
    if not found:
        return "No letter matches now."
    request_id = printable(found[0].request_id or "-", SHOWN)
    return f"It is about the request {request_id}: {printable(found[0].reason or '-', SHOWN)}."


def _meant(letters: Sequence[DeadLetter]) -> str:
    if not letters:
        return "No letter matches now."
    more = " or more" if len(letters) == AT_ONCE else ""
    return f"{len(letters)}{more} match now."


def _kind(reason: str, provider: str | None) -> str:
    of = f" and the provider {printable(provider or '', SHOWN)}"
    if not provider:
        of = ", of any provider" if provider is None else ", without a provider"
    return f"with the reason {printable(reason, SHOWN)}{of}"


def _whys(left: Sequence[str]) -> str:
    if not left:
        return ""
    more = f"; and {len(left) - _MOST_REASONS} more" if len(left) > _MOST_REASONS else ""
    return f" Not done: {'; '.join(printable(it, 200) for it in left[:_MOST_REASONS])}{more}."


def _on_one_line(text: str) -> str:
    """The same JSON without line breaks. Numbers keep their spelling."""
    shorter: str = msgspec.json.format(text, indent=-1)
    return shorter


def _options(reason: str, provider: str | None) -> dict[str, object]:
    return {"reason": reason, "provider": provider, "newest": True, "limit": AT_ONCE}
