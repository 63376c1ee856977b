"""A wish to cancel, wherever the request is at that moment."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio

from nexus_actors.admission.before_call import Checks
from nexus_actors.contract.result import Answer, Failure
from nexus_actors.steering.cancellations import INTERVAL, Cancellations
from nexus_actors.storage.cancellations import Cancellation
from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.work.in_work import InWork
from nexus_actors.work.job import Job
from supervisors import open_tree
from tests.unit.pipeline.test_giving_back import routing
from tests.unit.pipeline.worker_bench import ANSWER, Bench, bench, failure, job

END = Failure(type="cancelled", message="cancelled by joe: too dear", retryable=False)
AT_ONCE = 0.05
"""Seconds of virtual time within which what is told is done."""


@dataclass
class Wishes:
    """The store and its hints, as the actor sees them."""

    wishes: dict[str, Cancellation] = field(default_factory=dict)
    hastened: list[str] = field(default_factory=list)
    asked: int = 0
    looks_back: int = 0
    is_away: bool = False
    listeners: list[Callable[[str | None], None]] = field(default_factory=list)

    async def wanted(self, request_ids: Collection[str]) -> Mapping[str, Cancellation]:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise StorageUnavailable("away")
        self.asked += 1
        return {name: self.wishes[name] for name in request_ids if name in self.wishes}

    async def hasten(self, request_ids: Collection[str]) -> int:
        await trio.lowlevel.checkpoint()
        self.hastened += request_ids
        return len(request_ids)

    async def hasten_recent(self) -> int:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise StorageUnavailable("away")
        self.looks_back += 1
        return 0

    @contextmanager
    def subscribe(self, name: str, listener: Callable[[str | None], None]) -> Iterator[None]:
        self.listeners.append(listener)
        yield

    def cancel(self, request_id: str, *, is_told: bool = True) -> None:
        self.wishes[request_id] = Cancellation("joe", "too dear")
        for listener in self.listeners if is_told else ():
            listener(request_id)


@asynccontextmanager
async def wishes_for(in_work: InWork) -> AsyncIterator[Wishes]:
    wishes = Wishes()
    hints: Any = wishes  # what the actor asks of them

    def actor() -> Cancellations:
        return Cancellations(store=wishes, hints=hints, in_work=in_work, outages=Outages())

    async with open_tree(actor):
        await trio.testing.wait_all_tasks_blocked()
        yield wishes


def put(in_work: InWork, one: Job, place: str) -> None:
    in_work.add(one)
    match place:
        case "assigned":
            in_work.assign(one, "p")
        case "leaving":
            in_work.leave(one)
        case "answered":
            in_work.answer(one, ANSWER)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "found"])
@pytest.mark.parametrize("place", ["unrouted", "assigned", "leaving", "answered"])
async def test_what_no_worker_has_ends_and_an_answer_wins(
    autojump_clock: Any, place: str, is_told: bool
) -> None:
    in_work = InWork({"p": 2})
    async with wishes_for(in_work) as wishes:
        put(in_work, one := job(), place)
        wishes.cancel("r", is_told=is_told)
        await trio.sleep(AT_ONCE if is_told else INTERVAL + AT_ONCE)
        match place:
            case "answered":
                assert one.outcome == ANSWER
            case "leaving":  # it may be another's by now
                assert one.outcome is None
                await trio.sleep(1)
                assert wishes.hastened == []
                in_work.remove(one)
                await trio.sleep(0.2)
                assert wishes.hastened == ["r"]
                await trio.sleep(10)
                assert wishes.hastened == ["r"]
            case _:
                assert one.outcome == END
        assert one.attempts == []


async def test_a_wish_reported_while_the_store_is_away_is_not_forgotten(
    autojump_clock: Any,
) -> None:
    in_work = InWork({"p": 2})
    async with wishes_for(in_work) as wishes:
        put(in_work, one := job(), "unrouted")
        wishes.is_away = True
        wishes.cancel("r")
        await trio.sleep(10)
        assert one.outcome is None
        wishes.is_away = False
        await trio.sleep(1.1)
        assert one.outcome == END


async def test_nothing_is_asked_where_nothing_is_in_hand(autojump_clock: Any) -> None:
    async with wishes_for(InWork({"p": 2})) as wishes:
        wishes.cancel("another's")
        await trio.sleep(10)
        assert wishes.asked == 0


@asynccontextmanager
async def cancelled_at(moment: float, *outcomes: Any, **settings: Any) -> AsyncIterator[Bench]:
    """A worker with one job, cancelled then."""
    async with bench(*outcomes, **settings) as b, wishes_for(b.in_work) as wishes:
        b.give(job())
        await trio.sleep(moment)
        wishes.cancel("r")
        yield b


@pytest.mark.parametrize("moment", [n / 8 + 1 / 16 for n in range(24)])
async def test_no_call_begins_after_it_and_the_one_that_is_cut_off_is_on_record(
    autojump_clock: Any, moment: float
) -> None:
    """A call of a second that fails, a pause of about half a second, a call that is answered."""
    async with cancelled_at(moment, failure(), ANSWER) as b:
        begun = len(b.provider.calls)
        cut = [job for job in b.in_work if job.call_started is not None]
        one = await b.finished.receive()
        kinds = [it.outcome for it in one.attempts]
        assert kinds == ["provider_error", "ok"][: begun - len(cut)] + ["cancelled"] * len(cut)
        assert one.outcome == (ANSWER if kinds[-1] == "ok" else END)
        assert all(it.maybe_paid and it.cost is None for it in one.attempts[begun - len(cut) :])
        assert trio.current_time() <= moment + AT_ONCE
        assert len(b.provider.calls) == begun
        assert b.in_work.running == 0


async def test_a_call_that_was_cut_off_says_nothing_of_the_provider(autojump_clock: Any) -> None:
    async with cancelled_at(0.5, ANSWER, keys=("a",), breaker_failures=1) as b:
        await b.finished.receive()
        assert b.gates.shut(("p", "m"), trio.current_time()) is None
        assert b.in_work.concurrency("p").limit == b.in_work.workers("p")
        b.give(another := job(number=2))
        assert await b.finished.receive() is another
        assert b.provider.keys == ["a", "a"]


async def test_a_call_that_was_cut_off_is_no_success_of_its_model_either(
    autojump_clock: Any,
) -> None:
    async with bench(failure(), breaker_failures=2, max_retries=0) as b:
        async with wishes_for(b.in_work) as wishes:
            b.give(job(number=1))
            await b.finished.receive()
            b.give(job(number=2))
            await trio.sleep(0.5)
            wishes.cancel("r")
            assert (await b.finished.receive()).outcome == END
            wishes.wishes.clear()
            b.give(job(number=3))
            await b.finished.receive()
        assert b.gates.shut(("p", "m"), trio.current_time()) is not None


async def test_one_that_is_cancelled_while_its_budget_is_asked_is_not_called(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(_self: Checks, _job: Job) -> None:
        await trio.sleep(1)

    monkeypatch.setattr(Checks, "refusal", slowly)
    async with cancelled_at(0.5, ANSWER) as b:
        assert (await b.finished.receive()).outcome == END
        assert b.provider.calls == []


async def test_one_whose_worker_ended_before_it_could_is_not_routed_again(
    autojump_clock: Any,
) -> None:
    in_work = InWork({"p": 2})
    async with routing(in_work, None):
        one = job()
        one.cancelled = END
        in_work.add(one)
        await trio.sleep(AT_ONCE)
        assert one.outcome == END


async def test_an_answer_that_is_there_wins_over_a_wish_that_came_at_the_same_moment(
    autojump_clock: Any,
) -> None:
    one = job()

    def answered() -> Answer:
        one.cancelled = END
        return ANSWER

    async with bench(answered) as b:
        b.give(one)
        await b.finished.receive()
        assert one.outcome == ANSWER
