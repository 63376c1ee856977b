"""The port for the requests queue and the journal.

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
"""The `fault` of a message that has more bytes than allowed."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one message. PGMQ increments `read_ct` at each delivery, so the pair is
    a fencing token.
    """

    msg_id: int
    read_ct: int


Verdict = Literal["claimed", "cancelled", "duplicate", "conflict", "unidentified", "locked"]


@dataclass(frozen=True, slots=True)
class Previous:
    """Who gave the answer that another request continues."""

    provider: str
    model: str
    key_name: str | None = None
    """The name of the key that it was called with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as leased, and what the journal says of its request."""

    lease: Lease
    body: str | None
    """The jsonb as text; None if the message is SQL NULL or there is a fault."""
    size: int | None
    """Bytes of the text, or of the uncompressed jsonb if there is no text. None if the message is
    SQL NULL or was not read."""
    enqueued_at: datetime
    leased_at: datetime
    verdict: Verdict
    """claimed: to be worked on. cancelled: claimed, too, but to be ended. duplicate: another
    message has this request_id, or it was finished before; to be acknowledged. conflict: a
    duplicate with a different payload; a dead letter. unidentified: no request_id can be read, so
    there is no journal row. locked: another session holds its journal row; it is not leased, and
    visible again in a second."""
    request_id: str | None
    attempts: int = 0
    """Attempts made before this lease."""
    uncounted_attempts: int = 0
    """Those of `attempts` that do not count towards `max_attempts`."""
    earlier_attempts: int = 0
    """Those of `uncounted_attempts` made before the request was sent again under its own id."""
    first_leased_at: datetime | None = None
    """The request's first lease, by any process; None if the journal does not know it."""
    first_attempt_at: datetime | None = None
    """When the first of `attempts` began; None if the journal has none."""
    last_outcome: str | None = None
    """How the last of `attempts` ended."""
    used_candidates: tuple[str, ...] = ()
    """The candidates (PROVIDER/MODEL) that earlier attempts have used up."""
    previous: Previous | None = None
    """The answer that the request's `previous_response_id` names; None if it names none, or the
    journal does not know it."""
    fault: str | None = None
    """Why there is no text, in a few words of our own."""
    cancellation: Cancellation | None = None
    """The order by which it was cancelled."""
    traceparent: str | None = None
    """From the message's headers, if valid there, else from the journal."""
    waited_since: datetime | None = None
    """When the wait for this lease began, if an earlier lease was given back."""
    waited_for: str | None = None
    """Why it was given back (`GiveBack.reason`), if that is known."""
    waited_detail: str | None = None
    """Details of that (`GiveBack.detail`)."""
    more_due: bool = False
    """Whether more messages were due that did not fit into the bytes allowed."""


@dataclass(frozen=True, slots=True)
class Others:
    """Messages that differ from given examples."""

    msg_ids: Sequence[int]
    """In the order in which they are due."""
    looked_until: datetime
    """There are no others among the messages that were sent and due before this time."""


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
    """It does not count towards `max_attempts`: it was throttled (429), or is repeated without a
    refused field."""
    dropped: tuple[str, ...] = ()
    """See `Answer.dropped`."""
    first_text_ms: int | None = None
    """Milliseconds until the first text of a streamed answer."""
    key_name: str | None = None
    """The name of the key, never the key itself."""
    cost_basis: CostBasis | None = None
    """Where `cost` comes from; None if there was nothing to pay for, as far as is known."""


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
    """The end of one request: its result is stored or sent, its message acknowledged and its
    journal row closed, all together."""

    lease: Lease
    request_id: str | None
    """None if the request has no readable id: no result can be published, no row written."""
    result: str | None
    """The result as JSON text; the journal takes its fields from it. None if no result may be
    published (a conflicting duplicate): then no journal row is touched."""
    failure: Mapping[str, object] | None = None
    """The dead letter's detail, including its `type`; None if the request succeeded."""
    journal: str | None = None
    """What the journal takes instead of `result`: the cost of an answer that was not stored."""
    attempts: Sequence[Attempt] = ()
    """Attempts that are not recorded yet."""
    attempt_count: int = 0
    uncounted_count: int = 0
    steps: Sequence[Step] = ()

    @property
    def succeeded(self) -> bool:
        """Whether it was answered."""
        return self.failure is None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """A lease that is returned before the request has ended."""

    lease: Lease
    request_id: str
    attempts: Sequence[Attempt] = ()
    """Attempts that are not recorded yet."""
    attempt_count: int = 0
    """All attempts made so far. It replaces the count that `lease` made ahead."""
    uncounted_count: int = 0
    """Attempts that do not count towards `max_attempts`."""
    used_candidates: tuple[str, ...] = ()
    waits_for: str | None = None
    """The lane to wait in, invisibly. A provider's name: until it has room (`take_waiting`). The
    name of a pause: until that ends (`ControlStore.release`). None: visible after `delay`."""
    reason: str | None = None
    """Why it waits, in a word (`work.job.Reason`); None if it does not wait."""
    detail: str | None = None
    """Details, in our own words."""
    delay: float = 0.0
    """Seconds until a provider may be called. Without `waits_for`, the message is invisible for so
    long; otherwise this is for information only."""
    expires_in: float | None = None
    """Seconds until the request's timeout, at which `take_waiting` takes it in any case."""


class HeldMessages(Protocol):
    """Messages that are made invisible without being leased, to find out what is wrong with
    them."""

    async def hold(self, seconds: float) -> Lease | None:
        """Make the message that is due first invisible. This neither reads it nor touches the
        journal, so it succeeds where `lease` fails because of that message."""
        ...

    async def hold_waiting(self, rooms: Mapping[str, int], *, expired: int = 0) -> int:
        """Make the messages visible that `take_waiting` would take, so that `lease` finds them.
        Returns how many. The journal is not touched."""
        ...

    async def postpone(self, held: Lease, seconds: float) -> None:
        """Keep a held message invisible for so long, fenced."""
        ...

    async def open_held(self, held: Lease, *, largest: int) -> str | None:
        """Open a held message as `lease` does, and nothing more. Returns its request_id, if it has
        a readable one. Raises what `lease` raises, but never because of the journal."""
        ...

    async def lease_held(
        self, held: Lease, visibility_timeout: float, *, unread: bool
    ) -> list[Delivery]:
        """Lease a held message without its text; returns nothing if it is no longer held. With
        `unread` the message is not read at all, and only the journal can give its request_id.
        Raises what `lease` raises."""
        ...


class RequestStore(HeldMessages, Protocol):
    """The requests queue and the journal, which change together."""

    @property
    def closed(self) -> bool:
        """True once the store's owner has ended, so that nothing can be stored any more."""
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
        """Lease up to `quantity` visible messages and claim their requests, in one statement.

        A message with a text of more than `largest` bytes is returned without its text, and so is
        one whose text cannot be made; the others are unaffected. `together` bounds the bytes of all
        texts, but at least one message is returned. `small_first`: if some of the messages are
        small, lease only those, so that they do not wait until large ones are opened. `only`: lease
        none but these messages, small ones first.

        Raises `StorageRefused` if a message or its journal row is refused, and `StorageStrained` if
        this takes too long. Nothing is leased then, and a smaller quantity may pass.

        A claim counts one attempt ahead, so that a request which kills its process each time still
        ends at `max_attempts`. `finish` and `give_back` correct the count.
        """
        ...

    async def find_others(
        self, examples: Sequence[int], most: int, *, since: datetime | None, by_agent: bool
    ) -> Others:
        """Find up to `most` due messages that differ from each of `examples` (msg_ids) in a field
        that routing looks at; the agent counts only if `by_agent`. The search begins at `since` and
        takes at most a tenth of a second. Without examples, nothing is found. A message whose
        fields cannot be read quickly differs from all. Nothing is leased.
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
        `rooms[name]` each, oldest first. Also lease up to `expired` whose timeout has passed,
        whatever they wait for.

        `largest`, `together` and errors are as for `lease`.
        """
        ...

    async def give_back(self, returns: Sequence[GiveBack]) -> None:
        """Return leases. Fenced: messages that another process has leased since are left alone."""
        ...

    async def discard(self, duplicates: Sequence[Lease]) -> None:
        """Acknowledge messages whose request another message carries."""
        ...

    async def extend(
        self, leases: Collection[Lease], visibility_timeout: float
    ) -> dict[str, Lease]:
        """Keep messages invisible for another `visibility_timeout` seconds. Returns the leases that
        this instance now holds of them, by request id. A lease may be newer than the one given, if
        this instance has just leased the message again. A missing one was lost.
        """
        ...

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        """End requests, each fenced by its lease. Returns the leases that were ended, by this call
        or by an earlier one whose response was lost. The other leases were lost and changed
        nothing.

        All or nothing: `StorageRefused` means that some item cannot be stored and none was.
        """
        ...

    async def rehearse(self, item: Finish, *, lease_of: str | None = None) -> bool:
        """End a request and roll that back. Returns whether its lease is held; raises what `finish`
        would raise. `lease_of` names the request that has the lease, if it is not the item's own:
        that one may have ended or never existed, and gets the lease for the rehearsal.
        """
        ...

    async def record_late(self, batch: Sequence[Finish]) -> int:
        """Record attempts of requests that another process has ended or now holds, so that their
        cost is known. Returns how many attempts were new. Safe to repeat.
        """
        ...

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        """Lease requests (msg_id by request id) for which this process has an answer, whoever holds
        them, unless they have ended. Returns the new leases by request id.
        """
        ...

    async def release_orphans(self, held: Collection[int], *, called: bool) -> int:
        """Make messages visible that this instance has leased but does not work on: those whose
        msg_id is not in `held`. Returns how many.

        At the start, this makes what a killed predecessor held available at once. With `called`,
        calls may have been made under these leases, so attempts that were counted ahead still
        count.
        """
        ...

    async def forget_waiting(self) -> int:
        """Make requests visible that this instance gave back to wait for a provider. Returns how
        many. Called at the stop."""
        ...
