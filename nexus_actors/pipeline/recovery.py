"""What an earlier process of this instance was answered and could not publish."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import structlog

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.result import Failure, LLMResult
from nexus_actors.storage.outages import Patience
from nexus_actors.storage.ports import (
    Finish,
    RequestStore,
    StorageError,
    StorageRefused,
    StorageStrained,
)
from nexus_actors.work.ending import size
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from nexus_actors.work.kept_answers import BATCH_BYTES, KeptAnswers

log = structlog.get_logger("nexus.result_publisher")


class Recovery:
    """Publishes it, before anything is leased. What the store refuses alone, or has not done alone
    either when it had not done it in its time, is taken into work instead: what is to be done with
    it is found out as for any other.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        store: RequestStore,
        kept: KeptAnswers,
        in_work: InWork,
        patience: Patience,
    ) -> None:
        self._batch_size = batch_size
        self._size = batch_size
        self._store = store
        self._kept = kept
        self._in_work = in_work
        self._patience = patience
        self._failed: set[str | None] = set()
        """Those that the store has not done once: each is tried alone, after the others."""

    async def run(self, left: Sequence[Finish]) -> None:
        """Publish all of these, or take them into work."""
        waiting = deque(left)
        while waiting:
            answers = self._some(waiting)
            try:
                await self._republish(answers)
            except StorageRefused:
                self._size = max(1, len(answers) // 2)
                waiting.extendleft(reversed(answers))
            except StorageError as error:
                if len(answers) == 1 and answers[0].request_id in self._failed:
                    self._adopt(answers[0])
                elif len(answers) == 1 or isinstance(error, StorageStrained):
                    self._failed.update(it.request_id for it in answers)
                    waiting.extend(answers)
                else:
                    self._size = max(1, len(answers) // 2)
                    waiting.extendleft(reversed(answers))
                await self._patience.failed(error)
            else:
                self._size = min(2 * self._size, self._batch_size)
                self._patience.worked()

    def _some(self, waiting: deque[Finish]) -> list[Finish]:
        answers: list[Finish] = []
        together = 0
        while waiting and len(answers) < self._size:
            together += size(waiting[0])
            alone = waiting[0].request_id in self._failed
            if answers and (alone or together > BATCH_BYTES):
                break
            answers.append(waiting.popleft())
            if alone:
                break
        return answers

    async def _republish(self, answers: Sequence[Finish]) -> None:
        leases = await self._store.reclaim({str(it.request_id): it.lease.msg_id for it in answers})
        ends = [replace(it, lease=leases.get(str(it.request_id), it.lease)) for it in answers]
        try:
            ended = await self._store.finish(ends)
            left = {str(it.request_id): it for it in ends if it.lease not in ended}
            again = await self._store.reclaim({name: it.lease.msg_id for name, it in left.items()})
            late = [it for name, it in left.items() if name not in again]
            await record_late(self._store, late)
        except StorageRefused:
            if len(ends) > 1:
                raise
            self._adopt(ends[0])
        else:
            log.info("answers of an earlier run published", requests=len(ended), late=len(late))
            for name, lease in again.items():  # leased by another between our two statements
                self._adopt(replace(left[name], lease=lease))
            await self._kept.forget([it.request_id for it in answers if it.request_id not in again])

    def _adopt(self, end: Finish) -> None:
        """Take one into work, as if it had been answered now; others are leased meanwhile."""
        result = decode_result(end.result)
        job = Job(
            lease=end.lease,
            body=Refusal(type=ErrorType.INVALID_REQUEST, message="answered by an earlier process"),
            request_id=end.request_id,
            prior_attempts=end.attempt_count - len(end.attempts),
            prior_spared=end.spared_count,
            attempts=list(end.attempts),
            end=end,
        )
        self._in_work.add(job)
        self._in_work.weigh(job, size(end))
        self._in_work.answer(
            job,
            result.outcome
            if isinstance(result, LLMResult)
            else Failure(type=ErrorType.INTERNAL_ERROR, message=result, retryable=False),
        )


async def record_late(store: RequestStore, ends: Sequence[Finish]) -> None:
    """Record what was paid for requests that another process has ended, or holds by now. What the
    store refuses of it is logged, no more."""
    try:
        await store.record_late(ends)
    except StorageRefused as error:
        log.warning("attempts not recorded", requests=len(ends), error=str(error))
