"""The publisher on virtual time, while the store is away."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
import trio
import trio.testing

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Failure
from nexus_actors.pipeline.in_work import InWork
from nexus_actors.pipeline.job import Job
from nexus_actors.pipeline.metrics import Metrics
from nexus_actors.pipeline.patience import Outages
from nexus_actors.pipeline.result_publisher import FLUSH_TIMEOUT, ResultPublisher
from nexus_actors.storage.ports import Finish, Lease, SpoolError, StorageUnavailable
from supervisors import ChildSpec, Supervisor, open_tree


class Away:
    """A store that cannot be reached."""

    closed = False

    async def reclaim(self, requests: object) -> object:
        await trio.sleep(0.01)
        raise StorageUnavailable("away")

    finish = reclaim


class Spool(dict[str | None, Finish]):
    """One without threads, which virtual time does not wait for."""

    def __init__(self, *, full: bool) -> None:
        self.full = full

    async def keep(self, answers: Sequence[Finish]) -> None:
        if self.full:
            raise SpoolError("full")
        self.update({it.request_id: it for it in answers})

    async def discard(self, published: Sequence[str]) -> None:
        for request_id in published:
            self.pop(request_id, None)


@pytest.mark.parametrize("full", [False, True])
async def test_a_stop_waits_for_the_store_only_if_answers_would_be_lost(
    autojump_clock: trio.testing.MockClock, full: bool
) -> None:
    in_work = InWork({"p": 4})
    in_work.recovered = True
    store: Any = Away()
    spool: Any = Spool(full=full)
    to_publisher, jobs = trio.open_memory_channel[Job](math.inf)

    def publisher() -> ResultPublisher:
        return ResultPublisher(
            batch_size=10,
            store=store,
            spool=spool,
            in_work=in_work,
            metrics=Metrics(),
            outages=Outages(),
            jobs=jobs,
        )

    spec = ChildSpec("publisher", publisher, shutdown=2 * FLUSH_TIMEOUT)
    async with open_tree(lambda: Supervisor([spec])):
        body = LLMRequest(request_id="r", complexity="simple", messages=())
        job = Job(lease=Lease(1, 1), body=body, request_id="r")
        job.step("validate", "ok")
        in_work.add(job)
        in_work.answer(job, Failure(type="provider_error", message="no", retryable=False))
        to_publisher.send_nowait(job)
        await trio.sleep(5)
        began = trio.current_time()
    assert (trio.current_time() - began < 3) is not full
    assert ("r" in spool) is not full


class Slow:
    """A store that never does one of them in its time, and the others at once."""

    closed = False

    def __init__(self) -> None:
        self.ended: dict[str | None, float] = {}
        self.tried = 0
        self.mended = False

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        return {name: Lease(msg_id, 1) for name, msg_id in requests.items()}

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        if any(it.request_id == "r0" for it in batch) and not self.mended:
            self.tried += 1
            await trio.sleep(10)
            raise StorageUnavailable("no answer in time")
        await trio.sleep(0.01)
        self.ended |= {it.request_id: trio.current_time() for it in batch}
        return {it.lease for it in batch}


async def test_one_that_the_store_cannot_do_in_its_time_is_tried_beside_the_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    in_work = InWork({"p": 4})
    in_work.recovered = True
    store = Slow()
    outages = Outages()
    to_publisher, jobs = trio.open_memory_channel[Job](math.inf)

    def publisher() -> ResultPublisher:
        return ResultPublisher(
            batch_size=10,
            store=cast("Any", store),
            spool=cast("Any", Spool(full=False)),
            in_work=in_work,
            metrics=Metrics(),
            outages=outages,
            jobs=jobs,
        )

    async def told_at(number: int) -> float:
        """Seconds that the next one takes."""
        job = answered(in_work, number)
        to_publisher.send_nowait(job)
        began = trio.current_time()
        while job in in_work:
            await trio.sleep(0.01)
        return trio.current_time() - began

    async with open_tree(lambda: Supervisor([ChildSpec("publisher", publisher)])):
        slow = answered(in_work, 0)
        to_publisher.send_nowait(slow)
        await trio.sleep(1)
        assert max([await told_at(number) for number in range(1, 4)]) < 35
        assert outages.describe(0.0)["ResultPublisher"]["error"] == "no answer in time"
        tried = store.tried
        took = []
        while store.tried < tried + 4:
            took.append(await told_at(len(took) + 4))
        assert max(took) < 0.1
        store.mended = True
        while slow in in_work:
            await trio.sleep(0.1)
        await trio.sleep(0.1)
        assert outages.describe(0.0) == {}


def answered(in_work: InWork, number: int) -> Job:
    """A job that has its outcome."""
    body = LLMRequest(request_id=f"r{number}", complexity="simple", messages=())
    job = Job(lease=Lease(number, 1), body=body, request_id=body.request_id)
    job.step("validate", "ok")
    in_work.add(job)
    in_work.answer(job, Failure(type="provider_error", message="no", retryable=False))
    return job
