"""Answers that wait for the store, spooled to this machine's disk in the meantime."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import structlog

from nexus_actors.contract.encode import decode_result
from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.result import Failure, LLMResult
from nexus_actors.contract.trace import parse_traceparent
from nexus_actors.storage.errors import SpoolError
from nexus_actors.storage.requests import Finish
from nexus_actors.storage.spool import AnswerSpool
from nexus_actors.work.ending import finish, size
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job

log = structlog.get_logger("nexus.result_publisher")

BATCH_BYTES = 16 * 2**20
"""The most bytes of answers in one statement or one write, unless a single answer has more."""


class KeptAnswers:
    """The spool as the publisher uses it. Answers that cannot be spooled stay in memory, which is
    logged once until it works again.
    """

    def __init__(self, spool: AnswerSpool, in_work: InWork) -> None:
        self._spool = spool
        self._in_work = in_work
        self._failed = False

    def __contains__(self, job: Job) -> bool:
        return job.request_id in self._spool

    def adopt(self) -> None:
        """Add the answers that an earlier process could not publish to the in-work table, as if
        they had just arrived.
        """
        known = {job.request_id for job in self._in_work.answered()}
        for end in self._spool.unpublished():
            if end.request_id not in known:
                self._adopt(end)

    def _adopt(self, end: Finish) -> None:
        result = decode_result(end.result)
        body = Refusal(type=ErrorType.INVALID_REQUEST, message="answered by an earlier process")
        if isinstance(result, LLMResult):
            body = replace(body, agent_id=result.agent_id)
        job = Job(
            lease=end.lease,
            body=body,
            request_id=end.request_id,
            prior_attempts=end.attempt_count - len(end.attempts),
            prior_uncounted=end.uncounted_count,
            attempts=list(end.attempts),
            end=end,
            traceparent=parse_traceparent(result.traceparent)
            if isinstance(result, LLMResult)
            else None,
        )
        self._in_work.add(job)
        self._in_work.weigh(job, size(end))
        self._in_work.answer(
            job,
            result.outcome
            if isinstance(result, LLMResult)
            else Failure(type=ErrorType.INTERNAL_ERROR, message=result, retryable=False),
        )

    def encode(self, job: Job) -> Finish:
        """The job's end, encoded once. Its size counts as memory from then on."""
        fresh = job.end is None
        end = finish(job)
        if fresh:
            self._in_work.weigh(job, size(end))
        return end

    async def keep(self, jobs: Iterable[Job] | None = None) -> None:
        """Spool answers that the store has not taken yet: these, or all."""
        waiting = self._in_work.answered() if jobs is None else jobs
        for chunk in self._chunks([job for job in waiting if job not in self]):
            # Some may have been published while the others were written.
            left = [job for job in chunk if job in self._in_work]
            answers = [it for it in map(self.encode, left) if it.result is not None]
            try:
                await self._spool.keep(answers)
            except SpoolError as error:
                if not self._failed:
                    log.warning("answers are in memory only", error=str(error))
                self._failed = True
            else:
                self._failed = False

    def _chunks(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """Divide the jobs into chunks, so that encoding does not block the event loop for long."""
        chunk: list[Job] = []
        together = 0
        for job in jobs:
            self.encode(job)
            chunk.append(job)
            together += job.end_bytes
            if together > BATCH_BYTES:
                yield chunk
                chunk, together = [], 0
        if chunk:
            yield chunk

    def count(self) -> int:
        """How many waiting answers are spooled."""
        return sum(job in self for job in self._in_work.answered())

    def has_all(self) -> bool:
        """Whether all waiting answers are spooled, so that none would be lost with this process."""
        return all(job in self for job in self._in_work.answered())

    async def forget(self, request_ids: Sequence[str | None]) -> None:
        """Remove published answers from the spool."""
        try:
            await self._spool.discard([it for it in request_ids if it is not None])
        except SpoolError as error:  # the next start publishes them again, which is harmless
            log.warning("published answers stay in the spool", error=str(error))
