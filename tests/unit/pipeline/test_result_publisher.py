"""The publisher on virtual time, while the store is away."""

import math
from collections.abc import Sequence
from typing import Any

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
