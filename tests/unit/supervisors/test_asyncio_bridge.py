"""Calls of a tree in a thread, from asyncio: run on asyncio for real."""

import asyncio
import threading
from functools import partial

import pytest
import trio

from supervisors import CallTimeout, NoProcess, NoReply, ServerExited, Shutdown
from supervisors.contrib.asyncio import Bridge
from tests.unit.supervisors.actors import Do, Puppet
from tests.unit.supervisors.bridged import World, hang, run, value


def test_call_cast_and_an_ordered_stop():
    world = World()

    async def main():
        async with Bridge(world.tree) as bridge:
            assert await bridge.call(world.ref, value(7)) == 7
            bridge.cast(world.ref, lambda me: me.journal.append("cast"))
            thread = await bridge.call(world.ref, Do(lambda _: threading.current_thread()))
            assert thread is not threading.current_thread()
            many = [bridge.call(world.ref, value(number)) for number in range(50)]
            assert await asyncio.gather(*many) == list(range(50))

    run(main)
    assert world.journal == [("start", "a"), "cast", ("stop", "a", Shutdown())]


def test_the_root_may_be_one_actor_and_is_the_bridges_ref():
    async def main():
        async with Bridge(Puppet) as bridge:
            assert await bridge.call(bridge.ref, value(7)) == 7

    run(main)


def test_the_loop_goes_on_while_a_call_waits():
    world = World()

    async def main():
        async with Bridge(world.tree) as bridge:
            release = asyncio.Event()
            loop = asyncio.get_running_loop()

            async def wait(_):
                loop.call_soon_threadsafe(release.set)
                return "answered"

            call = asyncio.create_task(bridge.call(world.ref, Do(wait)))
            await release.wait()
            assert await call == "answered"

    run(main)


def test_calls_that_wait_take_no_threads():
    """And nothing of asyncio's pool of threads, in which names are resolved."""

    async def main():
        async with Bridge(Puppet) as bridge:
            waiting = {}

            def later(number, me):
                waiting[number] = me.caller
                return NoReply()

            before = threading.active_count()
            requests = [Do(partial(later, number)) for number in range(50)]
            calls = [asyncio.create_task(bridge.call(bridge.ref, it)) for it in requests]
            while len(waiting) < len(calls):
                await asyncio.sleep(0.001)
            assert threading.active_count() == before
            bridge.cast(bridge.ref, lambda _: [it.reply(n) for n, it in waiting.items()] and None)
            assert await asyncio.gather(*calls) == list(range(50))

    run(main)


@pytest.mark.parametrize("block", [False, True])
def test_what_a_call_raises_is_what_a_call_raises(block):
    world = World(restart="temporary", shutdown=0.01)

    async def main():
        async with Bridge(world.tree) as bridge:
            with pytest.raises(CallTimeout):
                await bridge.call(world.ref, Do(hang), timeout=0.01)
            with pytest.raises(ValueError, match="timeout"):
                await bridge.call(world.ref, value(1), timeout=-1)
            with pytest.raises(NoProcess):
                await bridge.call(world.names.via("nobody"), value(1))

    async def crashing():
        async with Bridge(world.tree) as bridge:
            with pytest.raises(ServerExited) as caught:
                await bridge.call(world.ref, Do(lambda _: 1 / 0))
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
            with pytest.raises(NoProcess):
                await bridge.call(world.ref, value(1))

    run(crashing if block else main)


def test_cancelling_the_caller_gives_the_call_up_and_harms_nobody():
    world = World()

    async def main():
        async with Bridge(world.tree) as bridge:
            begun = asyncio.Event()
            loop = asyncio.get_running_loop()

            async def hold(me):
                loop.call_soon_threadsafe(begun.set)
                while not me.caller.settled:  # until trio's side has given it up, too
                    await trio.sleep(0.001)

            call = asyncio.create_task(bridge.call(world.ref, Do(hold), timeout=60))
            await begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await bridge.call(world.ref, value(7)) == 7

    run(main)


def test_calls_when_the_tree_stops_or_has_ended():
    world = World(trap=False)

    async def main():
        async with Bridge(world.tree) as bridge:
            begun = asyncio.Event()
            loop = asyncio.get_running_loop()

            async def hold(_):
                loop.call_soon_threadsafe(begun.set)
                await trio.sleep_forever()

            call = asyncio.create_task(bridge.call(world.ref, Do(hold), timeout=60))
            await begun.wait()
        with pytest.raises(ServerExited):
            await call
        with pytest.raises(NoProcess):
            await bridge.call(world.ref, value(1))
        bridge.cast(world.ref, "nobody hears it")

    run(main)


def test_it_says_so_when_used_before_it_runs_twice_or_from_another_loop():
    async def main():
        bridge = Bridge(Puppet)
        with pytest.raises(RuntimeError, match="does not run yet"):
            await bridge.call(None, value(1))
        with pytest.raises(RuntimeError, match="does not run yet"):
            await bridge.wait()
        with pytest.raises(RuntimeError, match="does not run yet"):
            bridge.cast(None, "lost")
        async with bridge:
            with pytest.raises(RuntimeError, match="is entered once"):
                await bridge.__aenter__()

            async def elsewhere():
                with pytest.raises(RuntimeError, match="another event loop"):
                    await bridge.call(bridge.ref, value(1))
                with pytest.raises(RuntimeError, match="another event loop"):
                    await bridge.wait()

            await asyncio.to_thread(asyncio.run, elsewhere())
            assert await bridge.call(bridge.ref, value(7)) == 7
        with pytest.raises(RuntimeError, match="is entered once"):
            await bridge.__aenter__()

    run(main)


def test_a_timeout_holds_while_an_actor_blocks_the_trio_thread():
    begun, release = threading.Event(), threading.Event()

    def block(_):
        begun.set()
        release.wait()

    async def main():
        async with Bridge(Puppet) as bridge:
            try:
                call = asyncio.create_task(bridge.call(bridge.ref, Do(block), timeout=0.01))
                await asyncio.to_thread(begun.wait)
                late = Do(lambda me: me.journal.append("handled"))
                with pytest.raises(CallTimeout):
                    await bridge.call(bridge.ref, late, timeout=0.01)
                with pytest.raises(CallTimeout):
                    await call
            finally:
                release.set()
            # what was given up before it was sent is not sent after what came later
            assert await bridge.call(bridge.ref, Do(lambda me: me.journal[:])) == [("start", "")]
            assert await bridge.call(bridge.ref, Do(lambda me: me.journal[:])) == [("start", "")]

    run(main)


def test_a_cast_that_cannot_be_sent_is_logged(caplog):
    class Broken:
        name = "broken"

        def cast(self, message):
            raise TypeError("not that kind of ref")

    world = World()

    async def main():
        async with Bridge(world.tree) as bridge:
            bridge.cast(Broken(), "hello")
            assert await bridge.call(world.ref, value(7)) == 7

    run(main)
    assert "a message from asyncio was lost" in caplog.text
