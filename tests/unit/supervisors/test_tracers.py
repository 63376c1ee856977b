"""A tracer that fails harms neither the actor that it looks at nor other tracers."""

import sys

import pytest
import trio

from supervisors import Normal, open_tree, system
from tests.unit.supervisors.actors import Do, Puppet


async def test_a_tracer_that_raises_is_removed_and_the_actor_goes_on(caplog):
    seen = []

    def faulty(event):
        seen.append(type(event))
        raise ValueError("the tracer's own fault")

    async with open_tree(Puppet) as ref:
        for tracer in (faulty, lambda event: seen.append(event.message)):
            system.install(ref, tracer)
        first, second = Do(lambda _: 1), Do(lambda _: 2)
        assert [await ref.call(first), await ref.call(second)] == [1, 2]
    assert seen == [system.Got, first, first, second, second]
    (record,) = [it for it in caplog.records if it.exc_info]
    assert record.getMessage() == "a tracer of Puppet raised, and is removed"
    assert "the tracer's own fault" in str(record.exc_info[1])


async def test_a_tracer_that_removes_itself_and_raises_is_gone():
    async with open_tree(Puppet) as ref:

        def once(event):
            system.remove(ref, once)
            raise ValueError("and it raises")

        system.install(ref, once)
        assert await ref.call(Do(lambda _: 1)) == 1
        assert await ref.call(Do(lambda _: 2)) == 2
        await ref.stop()
        assert await ref.wait() == Normal()


def test_a_tracers_sys_exit_ends_the_program():
    async def main():
        async with open_tree(Puppet) as ref:
            system.install(ref, lambda _: sys.exit(3))
            ref.cast(lambda _: None)
            await ref.wait()

    with pytest.raises(SystemExit) as caught:
        trio.run(main)
    assert caught.value.code == 3
