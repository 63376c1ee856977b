"""Stage 1: leases as many requests as there is room for, and decodes each one separately."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog
import trio

from nexus_actors.contract.bounds import too_large
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.contract.trace import TraceParent, parse_traceparent
from nexus_actors.failpoints import reached
from nexus_actors.pipeline.leasing import HELD, Leasing
from nexus_actors.pipeline.stage import Stage
from nexus_actors.settings.model import QueueSettings
from nexus_actors.shared import Shared
from nexus_actors.steering.cancellations import cancelled
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.requests import TOO_LARGE, Delivery, Lease
from nexus_actors.work.job import Job
from nexus_actors.work.wake import Wake
from supervisors import ExitReason, Shutdown, Status

log = structlog.get_logger("nexus.queue_consumer")

FIRST_PAUSE = 0.02
"""Seconds before the first poll after an empty read; doubled up to `poll_interval`."""


class QueueConsumer(Stage):
    """Leases on demand. Notifications and newly free room wake it; it also polls.

    Its `terminate` is the drain of the whole pipeline: it stops first, has everything given back
    that no worker has started, and waits for the running calls.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._store = shared.store
        self._hints = shared.hints
        self._in_work = shared.in_work
        self._desired = shared.desired
        self._wake = Wake()
        self._patience = shared.outages.patience("QueueConsumer")
        self._leasing = Leasing(
            self._store,
            lambda: self._queue,
            self._in_work,
            shared.outages.patience(HELD),
            shared.overtaken,
        )
        self._look_everywhere_at = 0.0
        self._stopping = False
        self._stopped = trio.Event()

    @property
    def _queue(self) -> QueueSettings:
        return self._shared.settings.queue

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "jobs": len(self._in_work),
                "room": self._in_work.places,
                "wanted": self._in_work.quantity(),
                "demand": self._in_work.demand(),
                "stopping": self._stopping,
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Start reading. First release what a predecessor leased but did not add to the table."""
        self._in_work.stopping = False
        if self._desired.drain is None:
            self._in_work.resume()  # it may have been stopped by itself and started again
            self._hints.announce()
        self._in_work.on_room = self._wake.set
        self.spawn_link(self._consume)

    async def terminate(self, reason: ExitReason) -> None:
        """On an orderly shutdown, drain; after a crash there is nothing to wait for."""
        if isinstance(reason, Shutdown):
            self._hints.withdraw()
            seconds = self._shared.settings.service.drain_timeout
            log.info("draining", calls=self._in_work.running, seconds_at_most=seconds)
            with trio.move_on_after(seconds):
                await self._drain()
            if self._in_work.running:
                log.warning("drain timed out", calls_cut_off=self._in_work.running)
            else:
                log.info("drained")

    # -- reading

    async def _consume(self) -> None:
        pause = FIRST_PAUSE
        released = False
        with self._hints.listen(self._queue.requests, self._wake.set):
            while not self._stopping:
                if not self._in_work.recovered:
                    await self._wake.wait(self._queue.poll_interval)
                    continue
                try:
                    if not released:
                        await self._release_orphans()
                        released = True
                    waiting, more = await self._read() if self._may_lease else (False, False)
                except StorageError as error:
                    released = False  # a lease may have been taken whose answer was lost
                    await self._patience.failed(error)
                    continue
                self._patience.worked()
                if waiting or more or await self._wake.wait(pause):
                    pause = FIRST_PAUSE
                else:
                    pause = min(2 * pause, self._queue.poll_interval)
        self._stopped.set()

    @property
    def _may_lease(self) -> bool:
        """False until `nexus.control` has been read once, and while this node drains."""
        return self._desired.known and self._desired.drain is None

    async def _read(self) -> tuple[bool, bool]:
        """Lease waiting requests, then new ones. Returns whether any had been waiting, and whether
        there may be more new ones. If the first fails, the second is still tried."""
        try:
            waiting = await self._take_waiting()
        except StorageError:
            await self._lease()
            raise
        return waiting, await self._lease()

    async def _release_orphans(self) -> None:
        held = [job.lease.msg_id for job in self._in_work]
        inherited = self._in_work.inherited
        if count := await self._store.release_orphans(held, called=inherited):
            log.warning("released what was leased and not worked on", requests=count)
        self._in_work.inherited = False

    async def _take_waiting(self) -> bool:
        """Lease requests that wait for providers with room. True if there were any.

        A provider for which this process gave back requests to wait is queried as soon as it has
        room. All providers, and requests whose timeout has passed, are queried once per poll
        interval, since other processes give back requests, too.
        """
        rooms = self._in_work.demand()
        waiting_providers = self._in_work.waiting_providers
        if trio.current_time() < self._look_everywhere_at:
            rooms = {name: room for name, room in rooms.items() if name in waiting_providers}
            if not rooms:
                return False
        # Before the await: what the Router gives back during it marks its provider again.
        waiting_providers.difference_update(rooms)
        found = True  # assumed until the store has answered, also if this is cancelled
        try:
            spare = min(self._queue.batch_size, self._in_work.places)
            deliveries = await self._leasing.take_waiting(rooms, max(spare, 0))
            if deliveries is None:
                return True
            self._look_everywhere_at = trio.current_time() + self._queue.poll_interval
            self._accept(deliveries)
            found = bool(deliveries)
            # Let the Router place them first: until then, the queues look emptier than they are.
            await trio.lowlevel.checkpoint()
        finally:
            if found:
                waiting_providers.update(rooms)
        return found

    async def _lease(self) -> bool:
        """Lease as many new requests as there is room for. True if there may be more."""
        if self._desired.queue is not None:
            return False
        leased = await self._leasing.lease()
        if leased.deliveries:
            reached("after_lease")
            await self._work_on(leased.deliveries)
        return leased.more

    async def _work_on(self, deliveries: Sequence[Delivery]) -> None:
        """Put what was leased into the in-work table; acknowledge duplicates."""
        if duplicates := self._accept(deliveries):
            await self._store.discard(duplicates)
            ids = sorted({d.request_id or "" for d in deliveries if d.lease in duplicates})
            log.info("duplicates acknowledged", messages=len(duplicates), request_ids=ids[:20])

    def _accept(self, deliveries: Sequence[Delivery]) -> list[Lease]:
        """Add a job to the in-work table for each delivery. Returns the leases of duplicates.

        There is no checkpoint between the store's answer and this, so a lease that is known is in
        the table.
        """
        duplicates: list[Lease] = []
        for delivery in deliveries:
            job = self._in_work.get(delivery.lease.msg_id, _request_id(delivery))
            if job is not None and self._in_work.renew(job, delivery.lease):
                continue  # the lease had lapsed while this process worked on it
            if delivery.verdict == "duplicate":
                duplicates.append(delivery.lease)
            else:
                self._hand_on(self._job(delivery), delivery)
        return duplicates

    def _job(self, delivery: Delivery) -> Job:
        body = self._decoded(delivery)
        if delivery.verdict == "conflict" and delivery.fault is None:
            body = Refusal(
                type=ErrorType.DUPLICATE_REQUEST,
                message="request_id: it was used before with another payload",
                path="request_id",
            )
        job = Job(
            lease=delivery.lease,
            body=body,
            size=0 if delivery.body is None else delivery.size or 0,
            request_id=_request_id(delivery),
            prior_attempts=delivery.attempts,
            prior_uncounted=delivery.uncounted_attempts,
            prior_earlier=delivery.earlier_attempts,
            prior_outcome=delivery.last_outcome,
            used_before=delivery.used_candidates,
            previous=delivery.previous,
            waited_for=delivery.waited_for,
            waited_detail=delivery.waited_detail,
            traceparent=_traceparent(delivery, body),
        )
        self._shared.leased(job, delivery.enqueued_at)
        job.sent_at = job.leased_at - _seconds(delivery.enqueued_at, delivery.leased_at)
        job.waits_since = job.sent_at
        if delivery.waited_since is not None:
            waited = _seconds(delivery.waited_since, delivery.leased_at)
            job.waits_since = job.leased_at - waited
        if delivery.verdict in ("claimed", "cancelled") and delivery.first_leased_at is not None:
            job.leased_before = _seconds(delivery.first_leased_at, delivery.leased_at)
        if delivery.first_attempt_at is not None:
            tried = _seconds(delivery.first_attempt_at, delivery.leased_at)
            job.tried_at = job.leased_at - tried
        if isinstance(body, Refusal):
            job.step("validate", body.type, path=body.path)
        else:
            job.step("validate")
            if body.timeout is not None:
                job.deadline = job.sent_at + body.timeout
        return job

    def _decoded(self, delivery: Delivery) -> LLMRequest | Refusal:
        if delivery.fault is None:
            return decode_request(delivery.body, self._shared.settings.requests.bounds)
        size = f"{delivery.size:,} bytes" if delivery.size is not None else "unknown size"
        message = f"the message cannot be read: {delivery.fault}"
        if delivery.fault == TOO_LARGE:
            message = too_large(size, self._queue.message_megabytes)
        return Refusal(
            type=ErrorType.INVALID_REQUEST, message=message, excerpt=f"a message of {size}"
        )

    def _hand_on(self, job: Job, delivery: Delivery) -> None:
        self._in_work.add(job)
        if delivery.verdict == "cancelled":
            self._in_work.answer(job, cancelled(delivery.cancellation))
        elif isinstance(job.body, Refusal):
            message, path = job.body.message, job.body.path
            failure = Failure(type=job.body.type, message=message, path=path, retryable=False)
            self._in_work.answer(job, failure)

    # -- stopping

    async def _drain(self) -> None:
        """Have the Router give back what no worker has started, and wait until no call is running.
        Whatever is left then is given back by LeaseKeeper, which stops last."""
        self._stopping = self._in_work.stopping = True
        self._in_work.drain()
        self._wake.set()
        await self._stopped.wait()
        at_rest = Wake()
        self._in_work.on_rest = at_rest.set
        self._in_work.leave_unbegun()
        while self._in_work.running:
            await at_rest.wait(math.inf)


def _seconds(since: datetime, until: datetime) -> float:
    return max((until - since).total_seconds(), 0.0)


def _traceparent(delivery: Delivery, body: LLMRequest | Refusal) -> TraceParent | None:
    """From the message's headers, else from the request's own field."""
    text = delivery.traceparent or body.traceparent
    return None if text is None else parse_traceparent(text)


def _request_id(delivery: Delivery) -> str | None:
    """The id to publish the result under. None for a conflict: the id is another request's."""
    return None if delivery.verdict == "conflict" else delivery.request_id
