"""How a tree in a thread begins and ends, as asyncio sees it."""

import asyncio
import sys
import threading

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    FailedToStartChild,
    GenServer,
    Killed,
    NoProcess,
    Shutdown,
    Supervisor,
)
from supervisors.contrib.asyncio import Bridge
from tests.unit.supervisors.actors import Do, Puppet
from tests.unit.supervisors.bridged import Hanging, World, hang, run, value


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


def test_a_call_that_waits_when_trios_run_fails_ends_and_the_block_raises():
    async def main():
        async with Bridge(Puppet, grace=0.01) as bridge:
            call = asyncio.create_task(bridge.call(bridge.ref, Do(hang), timeout=60))
            await asyncio.sleep(0)  # it is sent
            bridge._token.run_sync_soon(lambda: 1 / 0)
            with pytest.raises(NoProcess):
                await call
            with pytest.raises(NoProcess):
                await bridge.call(bridge.ref, value(1))

    with pytest.raises(trio.TrioInternalError):
        run(main)


def test_a_loop_that_is_closed_too_early_harms_no_actor():
    world = World()
    begun, go, goes_on = threading.Event(), threading.Event(), threading.Event()

    async def slow(_):
        begun.set()
        while not go.is_set():
            await trio.sleep(0.001)

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it would log that a task was lost
    bridge = loop.run_until_complete(Bridge(world.tree).__aenter__())
    call = loop.create_task(bridge.call(world.ref, Do(slow), timeout=60))
    loop.run_until_complete(asyncio.to_thread(begun.wait))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    go.set()  # now it is answered, and nobody is there
    bridge.cast(world.ref, lambda _: goes_on.set())
    assert goes_on.wait(30)
    assert not call.done()
    bridge._soon(bridge._scope.cancel)
    bridge._thread.join(30)
    assert not bridge._thread.is_alive()
    assert world.journal == [("start", "a"), ("stop", "a", Shutdown())]
