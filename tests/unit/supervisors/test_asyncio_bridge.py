"""A tree in a thread, called from asyncio: run on asyncio for real."""

import asyncio
import sys
import threading

import pytest
import trio

from supervisors import (
    CallTimeout,
    ChildSpec,
    Crashed,
    FailedToStartChild,
    GenServer,
    Killed,
    NoProcess,
    Registry,
    ServerExited,
    Shutdown,
    Supervisor,
)
from supervisors.contrib.asyncio import Bridge
from tests.unit.supervisors.actors import Do, Puppet, puppet

PATIENCE = 30.0


class World:
    """A tree of one puppet, by its name, and what has happened to it."""

    def __init__(self, **options):
        self.journal = []
        self.names = Registry("names")
        self.ref = self.names.via("a")
        self.options = options

    def tree(self):
        return Supervisor(
            [self.names.child_spec(), puppet("a", self.journal, name=self.ref, **self.options)]
        )


class Hanging(GenServer):
    async def init(self):
        await trio.sleep_forever()


def run(main):
    """In asyncio; afterwards the bridge's thread is gone."""
    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert "supervisors" not in [thread.name for thread in threading.enumerate()]


async def hang(_):
    await trio.sleep_forever()


def value(number):
    return Do(lambda _: number)


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


@pytest.mark.parametrize("block", [False, True])
def test_what_a_call_raises_is_what_a_call_raises(block):
    world = World(restart="temporary")

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


def test_a_root_that_ends_by_itself_leaves_the_block_alone():
    async def main():
        async with Bridge(Puppet) as bridge:
            waiting = [asyncio.create_task(bridge.wait()) for _ in range(2)]
            await asyncio.sleep(0)
            waiting.pop().cancel()
            bridge.cast(bridge.ref, lambda me: me.ref.kill())
            assert await waiting.pop() == Killed()
            assert await bridge.wait() == Killed()
            with pytest.raises(NoProcess):
                await bridge.call(bridge.ref, value(1))

    run(main)


def test_wait_tells_of_a_crash_to_a_block_that_only_casts():
    async def main():
        async with Bridge(Puppet) as bridge:
            bridge.cast(bridge.ref, lambda _: 1 / 0)
            reason = await bridge.wait()
            assert isinstance(reason, Crashed)
            assert isinstance(reason.exception, ZeroDivisionError)

    run(main)


def test_wait_after_the_block_and_after_a_start_that_failed():
    async def main():
        async with Bridge(Puppet) as bridge:
            pass
        assert await bridge.wait() == Shutdown()
        failed = Bridge(lambda: 1 / 0)
        with pytest.raises(FailedToStartChild):
            await failed.__aenter__()
        with pytest.raises(FailedToStartChild):
            await failed.wait()

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
    release = threading.Event()

    async def main():
        async with Bridge(Puppet) as bridge:
            try:
                with pytest.raises(CallTimeout):
                    await bridge.call(bridge.ref, Do(lambda _: release.wait()), timeout=0.01)
            finally:
                release.set()
            assert await bridge.call(bridge.ref, value(7)) == 7

    run(main)


def test_a_tree_that_does_not_start_is_an_error_of_who_enters():
    class Bad(GenServer):
        async def init(self):
            raise OSError("no socket")

    async def main():
        with pytest.raises(FailedToStartChild) as caught:
            async with Bridge(lambda: Supervisor([ChildSpec("bad", Bad)])):
                pytest.fail("never reached")
        assert isinstance(caught.value.__cause__, OSError)

    run(main)


def test_cancelled_while_it_starts_it_leaves_no_thread():
    begun = threading.Event()

    class Slow(Hanging):
        async def init(self):
            begun.set()
            await super().init()

    async def main():
        entering = asyncio.create_task(Bridge(Slow).__aenter__())
        await asyncio.to_thread(begun.wait)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    run(main)


def test_cancelled_before_trio_runs_it_starts_no_tree():
    started, go = threading.Event(), threading.Event()

    class Late(Bridge):
        async def _main(self):
            started.set()
            await trio.to_thread.run_sync(go.wait)
            await super()._main()

    async def main():
        entering = asyncio.create_task(Late(Hanging).__aenter__())
        await asyncio.to_thread(started.wait)
        entering.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await entering

    run(main)


def test_cancelled_the_block_stops_the_tree_in_order_first():
    world = World(stopping=0.05)

    async def main():
        inside = asyncio.Event()

        async def use():
            async with Bridge(world.tree):
                inside.set()
                await asyncio.Event().wait()

        using = asyncio.create_task(use())
        await inside.wait()
        using.cancel()
        await asyncio.sleep(0)
        using.cancel()  # impatient, while it stops
        with pytest.raises(asyncio.CancelledError):
            await using
        assert world.journal[-1] == ("stop", "a", Shutdown())

    run(main)


def test_the_blocks_own_error_comes_out_as_it_is():
    world = World()

    async def main():
        with pytest.raises(LookupError, match="mine"):
            async with Bridge(world.tree):
                raise LookupError("mine")

    run(main)
    assert world.journal[-1] == ("stop", "a", Shutdown())


def test_an_actors_sys_exit_comes_out_at_the_end_of_the_block():
    world = World()

    async def main():
        async def use():
            async with Bridge(world.tree) as bridge:
                bridge.cast(world.ref, lambda _: sys.exit(3))
                await bridge._ended

        with pytest.raises(SystemExit) as caught:
            await use()
        assert caught.value.code == 3

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
