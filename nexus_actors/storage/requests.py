"""The requests queue and the journal: what the pipeline asks of them and reports to them.

Every method of a port is one round trip or one transaction for a whole batch. Each is bounded in
time and raises `StorageUnavailable` when the database cannot be reached or does not answer; the
caller then waits and tries again. Cancelling a method leaves the batch either wholly done or wholly
undone. PostgreSQL implements them (`storage/postgres/`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from nexus_actors.contract.result import CostBasis
from nexus_actors.storage.cancellations import Cancellation

MESSAGE_BYTES, BATCH_BYTES = 10 * 2**20, 64 * 2**20
TOO_LARGE = "larger than allowed"
"""The `fault` of a message that has more bytes than were asked for."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one message. PGMQ raises `read_ct` on each delivery, so the pair is a
    fencing token.
    """

    msg_id: int
    read_ct: int


Verdict = Literal["claimed", "cancelled", "duplicate", "conflict", "unidentified", "locked"]


@dataclass(frozen=True, slots=True)
class Previous:
    """Who gave an answer that another request goes on with."""

    provider: str
    model: str
    key_name: str | None = None
    """Where the key it was asked with came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as leased, and what the journal says of its request."""

    lease: Lease
    body: str | None
    """The jsonb as text; None where the message is SQL NULL, or there is a fault."""
    size: int | None
    """Bytes of the text, or of the jsonb, uncompressed, where there is no text; None where the
    message is SQL NULL, or was not looked at."""
    enqueued_at: datetime
    leased_at: datetime
    verdict: Verdict
    """claimed: ours to work on. cancelled: ours too, to be ended. duplicate: this request_id is
    another message's, or was finished before; archive it. conflict: as duplicate, but with a
    different payload: a dead letter. unidentified: no request_id can be read from it, so there is
    no journal row. locked: somebody holds its journal row; it is not leased, and visible again in a
    second."""
    request_id: str | None
    attempts: int = 0
    """Attempts made before this lease."""
    uncounted_attempts: int = 0
    """Those of `attempts` that do not count towards the most allowed."""
    earlier_attempts: int = 0
    """Those of them that had been made when the request was sent again under its own id."""
    first_leased_at: datetime | None = None
    """When the request was leased first, by whomever; None where the journal does not say."""
    first_attempt_at: datetime | None = None
    """When the first of `attempts` began; None where the journal knows none."""
    last_outcome: str | None = None
    """How the last of them ended."""
    used_candidates: tuple[str, ...] = ()
    """PROVIDER/MODEL of the route that earlier attempts have used up."""
    previous: Previous | None = None
    """The answer that the request's `previous_response_id` names; None where it names none, or none
    that the journal knows."""
    fault: str | None = None
    """Why there is no text: a few words of ours."""
    cancellation: Cancellation | None = None
    """The wish that has made it cancelled."""
    traceparent: str | None = None
    """The valid one of its message's headers, or that the journal has of its request."""
    waited_since: datetime | None = None
    """When it began to wait for this lease, where an earlier one was given back."""
    waited_for: str | None = None
    """Why it was given back (`GiveBack.reason`), where that is known."""
    waited_detail: str | None = None
    """What exactly that was (`GiveBack.detail`)."""
    more_due: bool = False
    """Others were due that were left for the next time, for their bytes."""


@dataclass(frozen=True, slots=True)
class Others:
    """Messages unlike those that were named."""

    msg_ids: Sequence[int]
    """In the order in which they are due."""
    looked_until: datetime
    """There is none but these among what was due before that, and had been sent by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a provider, as the journal records it."""

    number: int
    """1 for the first attempt of the request."""
    provider: str
    model: str
    outcome: str
    """`ok`, or the name of the error."""
    status_code: int | None
    duration_ms: int
    cost: float | None
    error: str | None
    started_at: datetime
    maybe_paid: bool = False
    """No answer arrived, yet the provider may have done the work."""
    uncounted: bool = False
    """It does not count towards the most: it came too early (429), or is repeated without a field
    that was refused."""
    dropped: tuple[str, ...] = ()
    """As `Answer.dropped`."""
    first_text_ms: int | None = None
    """Milliseconds until the first text of a streamed answer."""
    key_name: str | None = None
    """Where the key came from, never the key."""
    cost_basis: CostBasis | None = None
    """Where `cost` comes from; None where nothing is to be paid for that we know of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the workflow: validate, route_llm, publish_result, track_metrics."""

    name: str
    outcome: str
    """`ok`, or the name of the error."""
    at: datetime
    detail: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of one request: result sent, message acknowledged, journal row closed, together."""

    lease: Lease
    request_id: str | None
    """None: nothing identifies the request, so no result can be published and no row is written."""
    result: str | None
    """The result as JSON text, from which the journal has what it says too; None where none may be
    published (a conflicting duplicate): then no journal row is touched."""
    failure: Mapping[str, object] | None = None
    """What the dead letter of a failed request says, its `type` among it; None: it succeeded."""
    journal: str | None = None
    """As `result`, what the journal has instead: what an answer has cost that was not stored."""
    attempts: Sequence[Attempt] = ()
    """Those not yet recorded."""
    attempt_count: int = 0
    uncounted_count: int = 0
    steps: Sequence[Step] = ()

    @property
    def succeeded(self) -> bool:
        """Whether it was answered."""
        return self.failure is None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """A lease returned before the request ended."""

    lease: Lease
    request_id: str
    attempts: Sequence[Attempt] = ()
    """Those not yet recorded."""
    attempt_count: int = 0
    """All attempts made so far; the one that `lease` counted ahead is corrected to this."""
    uncounted_count: int = 0
    """Those of them that do not count towards the most allowed."""
    used_candidates: tuple[str, ...] = ()
    waits_for: str | None = None
    """A provider's name: wait (invisible) for room there, to be taken by `take_waiting`; or that of
    a pause, for whose end it waits (`ControlStore.release`). None: visible after `delay`."""
    reason: str | None = None
    """Why it waits, a word (`work.job.Reason`); None where it does not wait."""
    detail: str | None = None
    """What exactly, in words of ours."""
    delay: float = 0.0
    """Seconds until a provider may be called: to stay invisible, where none is waited for; else
    only to be told."""
    expires_in: float | None = None
    """Seconds left of the request's own time; then `take_waiting` takes it, room or not."""


class HeldMessages(Protocol):
    """Messages that are invisible, though nobody works on their requests, until it is known what
    is wrong with them."""

    async def hold(self, seconds: float) -> Lease | None:
        """Make the message that is due first invisible. Nothing of it is looked at, and nothing is
        written in the journal, so this passes where `lease` fails for that message's sake."""
        ...

    async def hold_waiting(self, rooms: Mapping[str, int], *, expired: int = 0) -> int:
        """Make visible what `take_waiting` would take, so that `lease` finds it; how many. The
        journal does not hear of it."""
        ...

    async def postpone(self, held: Lease, seconds: float) -> None:
        """Keep what is held invisible for so long, fenced."""
        ...

    async def open_held(self, held: Lease, *, largest: int) -> str | None:
        """Open what is held as `lease` does, and do no more: its request_id, if it can be told.
        Raises as `lease` does, but for what the message is, never for the journal's sake."""
        ...

    async def lease_held(
        self, held: Lease, visibility_timeout: float, *, unread: bool
    ) -> list[Delivery]:
        """Lease what is held, without its text; nothing if it is held no more. `unread`: nothing of
        it is looked at, and only the journal can tell whose it is. Raises as `lease` does."""
        ...


class RequestStore(HeldMessages, Protocol):
    """The requests queue and the journal, always changed together."""

    @property
    def closed(self) -> bool:
        """True once nothing can be stored here any more: its owner has ended."""
        ...

    async def lease(
        self,
        quantity: int,
        visibility_timeout: float,
        *,
        largest: int = MESSAGE_BYTES,
        together: int = BATCH_BYTES,
        small_first: bool = False,
        only: Sequence[int] | None = None,
    ) -> list[Delivery]:
        """Read up to `quantity` visible messages and claim their requests, in one statement.

        A message whose text has more than `largest` bytes comes without it, and so does one whose
        text cannot be made; the others are not harmed by that. `together`: bytes that the texts may
        have together; one comes in any case. `small_first`: where some of the messages are small,
        only those, so that they need not wait until others are opened. `only`: none but these
        messages, the small ones first.

        Raises `StorageRefused` if a row or the journal's row for it is refused, `StorageStrained`
        if it takes too long; nothing is leased then, and a smaller quantity may pass.

        A claimed request counts one attempt ahead, so that one whose process is killed again and
        again still ends at max_attempts; `finish` and `give_back` correct the count.
        """
        ...

    async def find_others(
        self, examples: Sequence[int], most: int, *, since: datetime | None, by_agent: bool
    ) -> Others:
        """Find up to `most` messages that are due, `since` then, and are unlike each of `examples`
        (msg_ids) by what routing goes by, their agent only if `by_agent`; looking for a tenth of a
        second. None where there is no example. A message that cannot be told by that at once is
        unlike all. Nothing is leased.
        """
        ...

    async def take_waiting(
        self,
        rooms: Mapping[str, int],
        visibility_timeout: float,
        *,
        expired: int = 0,
        largest: int = MESSAGE_BYTES,
        together: int = BATCH_BYTES,
    ) -> list[Delivery]:
        """Lease requests that wait for one of these providers (`GiveBack.waits_for`), at most
        `rooms[name]` each, oldest first; and up to `expired` whose own time is over, for whomever
        they wait.

        `largest`, `together` and what is raised are as for `lease`.
        """
        ...

    async def give_back(self, returns: Sequence[GiveBack]) -> None:
        """Return leases, fenced: what another process has since leased is left alone."""
        ...

    async def discard(self, duplicates: Sequence[Lease]) -> None:
        """Acknowledge deliveries whose request another message carries."""
        ...

    async def extend(
        self, leases: Collection[Lease], visibility_timeout: float
    ) -> dict[str, Lease]:
        """Keep messages invisible for another `visibility_timeout` seconds. Returns the leases that
        this instance holds of them now, by request id: those, and newer ones, which it may have
        taken at the same moment. What is not among them was lost.
        """
        ...

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        """End requests, each fenced. Returns the leases that were ended, by this call or by an
        earlier one whose answer was lost; the others were lost and left no trace.

        All or nothing: `StorageRefused` means that some item cannot be stored and none was.
        """
        ...

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        """Try whether a request could be ended so, and undo it; whether its lease is held. Raises
        as `finish` does where that would not be carried out. `lease_of`: the request that has the
        lease; the item's own may have ended, or never have been, and takes it for the time.
        """
        ...

    async def record_late(self, batch: Sequence[Finish]) -> int:
        """Record the attempts of requests that another process has ended, or holds by now, so that
        what they cost is known. Safe to repeat; how many attempts were new.
        """
        ...

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        """Lease requests anew, by request id and msg_id, that have their answer: whoever else may
        hold them, as long as they are not ended. The new leases by request id.
        """
        ...

    async def release_orphans(self, held: Collection[int], *, called: bool) -> int:
        """Make visible what this instance has leased but does not work on (msg_ids not in `held`).

        Called at start: whatever a killed predecessor held is then tried again at once. `called`:
        calls may have been made under these leases, so the attempts counted ahead stay counted.
        """
        ...

    async def forget_waiting(self) -> int:
        """Make visible what this instance put to wait for a provider. Called at stop."""
        ...
