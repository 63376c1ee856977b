"""Whoever uses the runtime under asyncio is told that it runs on trio."""

import asyncio

import anyio
import pytest
import trio
import trio_asyncio

from supervisors import (
    ChildSpec,
    GenServer,
    NotInTrio,
    Registry,
    Supervisor,
    TaskSupervisor,
    open_tree,
    run,
    serve,
    testing,
    tree,
)

names = Registry("names")


async def enter(block):
    async with block:
        pytest.fail("it must not open")


async def iterate(block):
    async with block as items:
        async for _ in items:
            pytest.fail("nothing may run")


def dead():
    """The ref of a tree of a run that is over."""
    refs = []

    async def main():
        async with open_tree(Supervisor) as ref:
            refs.append(ref)

    trio.run(main)
    return refs[0]


OPENERS = {
    "open_tree": lambda: enter(open_tree(Supervisor)),
    "serve": lambda: serve(Supervisor),
    "supervised": lambda: enter(testing.supervised(Supervisor)),
}
OTHERS = {
    "wait": lambda: dead().wait(),
    "wait for a name": lambda: names.via("a").wait(),
    "tree": lambda: tree(names.via("a")),
    "async_stream": lambda: iterate(TaskSupervisor.async_stream(dead(), [1], anyio.sleep)),
    "wait_until": lambda: testing.wait_until(lambda: False),
}


def in_asyncio(coroutine):
    # a loop of its own: the policy's, once trio_asyncio is imported, may be one on top of trio
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(coroutine)


def in_anyio(coroutine):
    options = {"loop_factory": asyncio.SelectorEventLoop}
    return anyio.run(lambda: coroutine, backend="asyncio", backend_options=options)


def in_trio_asyncio(coroutine):
    async def main():
        try:
            await trio_asyncio.aio_as_trio(lambda: coroutine)()
        except NotInTrio as error:
            return error
        return None

    if error := trio_asyncio.run(main):  # through here, because it would come in groups
        raise error


RUNNERS = {"asyncio": in_asyncio, "anyio": in_anyio, "trio_asyncio": in_trio_asyncio}


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("opener", OPENERS)
def test_a_tree_opens_on_trio_only(opener, runner):
    coroutine = OPENERS[opener]()
    with pytest.raises(NotInTrio, match=r"trio\.run"):
        RUNNERS[runner](coroutine)


@pytest.mark.parametrize("other", OTHERS)
def test_what_waits_waits_on_trio_only(other):
    coroutine = OTHERS[other]()
    with pytest.raises(RuntimeError, match="trio"):
        in_asyncio(coroutine)


def test_outside_of_every_loop():
    with pytest.raises(NotInTrio):
        serve(Supervisor).send(None)


def test_trio_under_anyio_and_as_a_guest_is_trio():
    async def main():
        async with open_tree(Supervisor) as top:
            await Supervisor.start_child(top, ChildSpec("a", GenServer))
            return (await Supervisor.count_children(top)).active

    assert anyio.run(main, backend="trio") == 1

    async def host():
        done = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            main,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=done.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        return (await done).unwrap()

    assert in_asyncio(host()) == 1


async def test_a_program_within_a_trio_program_is_refused():
    with pytest.raises(RuntimeError, match="inside"):
        run(Supervisor)
