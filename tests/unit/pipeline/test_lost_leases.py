"""What becomes of an answer whose lease is not the one it was given under, on virtual time."""

from collections.abc import Callable, Mapping, Sequence

import trio
import trio.testing

from nexus_actors.storage.requests import Finish, Lease
from nexus_actors.work.in_work import InWork
from supervisors import Supervisor, open_tree
from tests.unit.pipeline.test_recovery import end, recovering
from tests.unit.pipeline.test_result_publisher import PAID, answered, publishing


class Fenced:
    """A store that ends what is told under the present lease. Whoever else has it now, it leases
    anew what has not ended.
    """

    closed = False

    def __init__(self, **present: Lease) -> None:
        self.present = present
        """Of those that have not ended."""
        self.asked: list[Lease] = []
        """To be ended, one by one."""
        self.late: list[str | None] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """What goes on during a statement."""

    async def reclaim(self, requests: Mapping[str, int]) -> dict[str, Lease]:
        found = {name: lease for name, lease in self.present.items() if name in requests}
        anew = {name: Lease(it.msg_id, it.read_ct + 1) for name, it in found.items()}
        self.present |= anew
        return anew

    async def finish(self, batch: Sequence[Finish]) -> set[Lease]:
        await trio.sleep(0.01)
        self.asked += [it.lease for it in batch]
        ended = {it.lease for it in batch if self.present.get(str(it.request_id)) == it.lease}
        self.present = {name: it for name, it in self.present.items() if it not in ended}
        self.meanwhile()
        return ended

    async def record_late(self, batch: Sequence[Finish]) -> int:
        self.late += [it.request_id for it in batch]
        return len(batch)


async def test_what_an_earlier_process_left_is_leased_anew_before_it_is_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = Fenced(r0=Lease(0, 5))  # by another process meanwhile
    with trio.fail_after(60):
        async with recovering(store, [end(0)]) as in_work:
            assert len(in_work) == 0
    assert store.asked == [Lease(0, 6)]
    assert (store.present, store.late) == ({}, [])


async def test_nothing_waits_for_what_an_earlier_process_left_and_another_has_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = Fenced()
    with trio.fail_after(60):
        async with recovering(store, [end(0)]) as in_work:
            assert len(in_work) == 0
    assert store.late == ["r0"]


async def test_an_answer_takes_its_request_back_and_is_published_under_the_new_lease(
    autojump_clock: trio.testing.MockClock,
) -> None:
    in_work, store = InWork({"p": 4}), Fenced(r1=Lease(1, 5))
    async with open_tree(lambda: Supervisor([publishing(store, in_work)])):
        answered(in_work, 1, PAID)  # under (1, 1)
        answered(in_work, 2, PAID)  # another has ended it
        await trio.sleep(1)
        assert len(in_work) == 0
    assert store.asked == [Lease(1, 1), Lease(2, 1), Lease(1, 6)]
    assert (store.present, store.late) == ({}, ["r2"])


async def test_what_this_process_leased_anew_during_the_statement_is_published_under_that_lease(
    autojump_clock: trio.testing.MockClock,
) -> None:
    in_work, store = InWork({"p": 4}), Fenced(r1=Lease(1, 2))
    async with open_tree(lambda: Supervisor([publishing(store, in_work)])):
        job = answered(in_work, 1)
        store.meanwhile = lambda: in_work.renew(job, Lease(1, 2))
        await trio.sleep(1)
        assert len(in_work) == 0
    assert store.asked == [Lease(1, 1), Lease(1, 2)]
    assert (store.present, store.late) == ({}, [])
