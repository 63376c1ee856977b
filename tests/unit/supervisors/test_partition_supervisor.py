"""PartitionSupervisor, after Elixir's partition_supervisor_test."""

from dataclasses import dataclass

import pytest
import trio

from supervisors import (
    BadReturnValue,
    Call,
    ChildCounts,
    ChildSpec,
    DynamicSupervisor,
    FailedToStartChild,
    GenServer,
    InvalidSpecification,
    NoProc,
    NoProcess,
    PartitionSupervisor,
    Registry,
    Reply,
    Shutdown,
    Supervisor,
    errors,
    open_tree,
    tree,
)
from supervisors.testing import wait_until
from tests.unit.supervisors.actors import Puppet, boom, crash, puppet

via = PartitionSupervisor.via


@dataclass(frozen=True)
class Number(Call[int]):
    """Which partition it is."""


class Partition(GenServer):
    def __init__(self, number=-1):
        self.number = number
        self.got = []

    async def handle_call(self, request, caller):
        return Reply(self.number)

    async def handle_cast(self, message):
        self.got.append(message)
        if message == "crash":
            raise RuntimeError("crash")

    async def handle_info(self, info):
        self.got.append(info)


def numbered(partitions=4, **options):
    return PartitionSupervisor(
        ChildSpec("part", Partition), partitions, with_arguments=lambda number: [number], **options
    )


async def refs(top):
    """In the order of the partitions."""
    return [info.ref for info in reversed(await PartitionSupervisor.which_children(top))]


@pytest.mark.parametrize(
    ("key", "partition"), [(0, 0), (3, 3), (4, 0), (-1, 1), (2**62, 0), (True, 1)]
)
async def test_an_integer_is_routed_by_its_remainder(autojump_clock, key, partition):
    async with open_tree(numbered) as top:
        assert await via(top, key).call(Number()) == partition


@pytest.mark.parametrize("key", ["ann", b"x", ("a", 1), None, 2.5, frozenset({1})])
async def test_anything_else_is_routed_by_its_hash_always_to_the_same(autojump_clock, key):
    async with open_tree(numbered) as top:
        assert await via(top, key).call(Number()) == abs(hash(key)) % 4
        ref = via(top, key)
        ref.cast("one")
        ref.send("two")
        await trio.sleep(1)
        got = [ref._process.actor.got for ref in await refs(top)]
        assert sorted(got) == [[], [], [], ["one", "two"]]


async def test_many_keys_reach_every_partition(autojump_clock):
    async with open_tree(numbered) as top:
        reached = {await via(top, f"key {number}").call(Number()) for number in range(100)}
        assert reached == {0, 1, 2, 3}


def test_a_key_without_a_hash_is_refused():
    with pytest.raises(TypeError, match="unhashable"):
        via(Registry("names").via("parts"), [])


async def test_partitions_count_children_and_which_children(autojump_clock):
    async with open_tree(lambda: numbered(3, name="parts")) as top:
        assert PartitionSupervisor.partitions(top) == 3
        assert await PartitionSupervisor.count_children(top) == ChildCounts(3, 3, 0, 3)
        infos = await PartitionSupervisor.which_children(top)
        assert [info.id for info in infos] == ["part-2", "part-1", "part-0"]
        node = await tree(top)
        assert (node.name, node.class_name) == ("parts", "PartitionSupervisor")
        assert [child.name for child in node.children] == ["part-0", "part-1", "part-2"]
    with pytest.raises(NoProcess):
        PartitionSupervisor.partitions(top)


async def test_without_with_arguments_start_gets_none(autojump_clock):
    async with open_tree(lambda: PartitionSupervisor(ChildSpec("p", Partition), 2)) as top:
        assert await via(top, 0).call(Number()) == -1


async def test_a_crash_restarts_its_partition_alone_with_the_same_arguments(autojump_clock):
    async with open_tree(numbered) as top:
        before = await refs(top)
        via(top, 2).cast("crash")
        await before[2].wait()
        await wait_until(lambda: via(top, 2).is_alive)
        after = await refs(top)
        assert [a == b for a, b in zip(after, before, strict=True)] == [True, True, False, True]
        assert await via(top, 2).call(Number()) == 2


async def test_one_for_all_restarts_every_partition(autojump_clock):
    async with open_tree(lambda: numbered(strategy="one_for_all")) as top:
        before = await refs(top)
        via(top, 2).cast("crash")
        await before[2].wait()
        await wait_until(lambda: via(top, 2).is_alive)
        assert not set(before) & set(await refs(top))


async def test_too_many_restarts_end_it(autojump_clock):
    async with open_tree(lambda: numbered(max_restarts=1, max_seconds=60)) as top:
        for _ in range(2):
            ref = via(top, 0)
            ref.cast("crash")
            await trio.sleep(1)
        assert await top.wait() == Shutdown()


async def test_its_children_stop_in_reverse_order(autojump_clock):
    journal = []
    spec = ChildSpec("p", lambda number: Puppet(str(number), journal, stopping=1.0))
    async with open_tree(lambda: PartitionSupervisor(spec, 3, with_arguments=lambda n: (n,))):
        pass
    assert [entry[:2] for entry in journal] == [
        *(("start", name) for name in "012"),
        *(("stop", name) for name in "210"),
    ]


async def test_a_partition_that_does_not_start_fails_the_start_by_its_id(autojump_clock):
    def make(number):
        return Puppet(init=boom if number == 1 else None)

    spec = ChildSpec("p", make)
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(lambda: PartitionSupervisor(spec, 2, with_arguments=lambda n: (n,))):
            pass
    assert caught.value.id == "p-1"


async def test_a_temporary_partition_that_has_ended_is_nobody(autojump_clock):
    spec = ChildSpec("p", Partition, restart="temporary")
    async with open_tree(lambda: PartitionSupervisor(spec, 2)) as top:
        await via(top, 1).stop()
        await trio.sleep(1)
        with pytest.raises(NoProcess):
            await via(top, 1).call(Number())
        assert not via(top, 1).is_alive
        assert await via(top, 1).wait() == NoProc()
        via(top, 1).cast("nobody hears it")
        assert await via(top, 0).call(Number()) == -1
        assert PartitionSupervisor.partitions(top) == 2


async def test_by_the_supervisors_name_it_is_found_after_its_restart(autojump_clock):
    names = Registry("names")
    parts = names.via("parts")
    specs = [names.child_spec(), ChildSpec("parts", numbered, type="supervisor", name=parts)]
    ref = via(parts, "ann")
    with pytest.raises(NoProcess, match=r"parts\['ann'\]"):
        await ref.call(Number())
    with pytest.raises(NoProcess):
        PartitionSupervisor.partitions(parts)
    async with open_tree(lambda: Supervisor(specs)):
        first = ref.pid
        parts.kill()
        await parts.wait()
        await wait_until(lambda: ref.is_alive)
        assert ref.pid != first
        assert await ref.call(Number()) == abs(hash("ann")) % 4


async def test_what_is_no_partition_supervisor_is_told_so(autojump_clock):
    async with open_tree(DynamicSupervisor) as other:
        with pytest.raises(TypeError, match="DynamicSupervisor, not a PartitionSupervisor"):
            await via(other, 1).call(Number())
        with pytest.raises(TypeError):
            PartitionSupervisor.partitions(other)


async def test_children_are_not_added_nor_stopped_one_by_one(autojump_clock):
    async with open_tree(numbered) as top:
        with pytest.raises(BadReturnValue):
            await DynamicSupervisor.start_child(top, puppet("more"))
        with pytest.raises(BadReturnValue):
            await Supervisor.terminate_child(top, "part-0")
        assert await PartitionSupervisor.count_children(top) == ChildCounts(4, 4, 0, 4)


async def test_a_supervisor_may_be_a_partition(autojump_clock):
    spec = ChildSpec("dynamic", DynamicSupervisor, type="supervisor")
    async with open_tree(lambda: PartitionSupervisor(spec, 2)) as top:
        ref = await DynamicSupervisor.start_child(via(top, "ann"), puppet("a"))
        await crash(ref)
        assert (await DynamicSupervisor.count_children(via(top, "ann"))).active == 1
        assert await PartitionSupervisor.count_children(top) == ChildCounts(2, 2, 2, 0)


@pytest.mark.parametrize("key", [-1, 0, 1, 2**61, -(2**62)])
async def test_equal_refs_reach_the_same_partition(autojump_clock, key):
    """An integer is routed by itself, the float that equals it by its hash."""
    async with open_tree(numbered) as top:
        one, other = via(top, key), via(top, float(key))
        reached = [await ref.call(Number()) for ref in (one, other)]
        assert (one == other) == (reached[0] == reached[1])
        assert one != other or hash(one) == hash(other)


async def test_refs_of_one_key_are_equal_and_no_names(autojump_clock):
    parts = Registry("names").via("parts")
    assert via(parts, 1) == via(parts, 1)
    assert hash(via(parts, 1)) == hash(via(parts, 1))
    assert via(parts, 1) != via(parts, 2)
    assert repr(via(parts, "x")) == "<ActorRef parts['x']>"
    with pytest.raises(errors.InvalidName):
        ChildSpec("a", Puppet, name=via(parts, 1))


NAMED = ChildSpec("p", Partition, name=Registry("names").via("p"))
SIGNIFICANT = ChildSpec("p", Partition, restart="transient", significant=True)
PLAIN = ChildSpec("p", Partition)


@pytest.mark.parametrize(
    ("spec", "partitions", "options", "error"),
    [
        (PLAIN, 0, {}, errors.InvalidPartitions),
        (PLAIN, True, {}, errors.InvalidPartitions),
        (PLAIN, 1.5, {}, errors.InvalidPartitions),
        (PLAIN, 1, {"strategy": "simple_one_for_one"}, errors.InvalidStrategy),
        (PLAIN, 1, {"max_restarts": -1}, errors.InvalidIntensity),
        (PLAIN, 1, {"max_seconds": 0}, errors.InvalidPeriod),
        (PLAIN, 1, {"with_arguments": 7}, errors.InvalidWithArguments),
        (PLAIN, 1, {"with_arguments": str}, errors.InvalidWithArguments),
        ("no spec", 1, {}, errors.InvalidChildSpec),
        (NAMED, 1, {}, errors.NamedPartition),
        (SIGNIFICANT, 1, {}, errors.InvalidSignificant),
        (NAMED, 0, {}, InvalidSpecification),
    ],
)
def test_what_is_wrong_is_reported_before_anything_starts(spec, partitions, options, error):
    with pytest.raises(error):
        PartitionSupervisor(spec, partitions, **options)


def test_the_error_shows_the_arguments_that_are_no_function():
    with pytest.raises(errors.InvalidWithArguments, match="7"):
        PartitionSupervisor(PLAIN, 1, with_arguments=7)
