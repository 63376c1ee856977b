"""A look at the loop from another thread."""

import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
import trio.lowlevel

from supervisors import Supervisor, open_tree
from supervisors.watchdog.loop_view import LoopView
from tests.unit.supervisors.actors import Do, child, puppet


@pytest.fixture
def other_thread():
    with ThreadPoolExecutor(1) as executor:
        yield executor


def look(view, other_thread):
    """Look from another thread, while this one waits for it and so blocks the loop."""
    return other_thread.submit(view.look).result()


async def test_a_loop_that_rests_is_at_nothing():
    view = LoopView()
    while await trio.to_thread.run_sync(view.look) is not None:
        """The thread was quicker than the loop."""


async def test_a_task_is_the_same_at_each_look(other_thread):
    view = LoopView()
    here = look(view, other_thread)
    await trio.lowlevel.checkpoint()
    again = look(view, other_thread)
    seen = []

    async def other():
        seen.append(look(view, other_thread))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
    assert here.is_same(again)
    assert not here.is_same(seen[0])
    assert not here.is_same(None)
    assert here.handler == trio.lowlevel.current_task().name


async def test_the_line_is_that_of_the_caller_of_the_standard_library(other_thread):
    here = look(LoopView(), other_thread)
    assert here.where.startswith(f"{__file__}:")
    assert here.where.endswith(" look")


async def test_what_has_called_the_loop_is_not_looked_at(other_thread):
    seen = []
    library = {"__name__": "trio.made_up", "submit": other_thread.submit, "seen": seen}
    exec("async def task(view): seen.append(submit(view.look).result())", library)  # noqa: S102
    async with trio.open_nursery() as nursery:
        nursery.start_soon(library["task"], LoopView())
    assert seen[0].where.startswith(f"{threading.__file__}:")


async def test_an_actor_is_reported_by_its_own_name(other_thread):
    view = LoopView()
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        here = await (await child(top, "a")).call(Do(lambda _: look(view, other_thread)))
    assert (here.process, here.class_name) == ("a", "Puppet")
    assert (here.handler, here.message) == ("handle_call", "Do")


async def test_what_runs_between_steps_is_no_tasks_own(other_thread):
    view = LoopView()

    class Hook(trio.abc.Instrument):
        seen = None

        def before_io_wait(self, timeout):
            if self.seen is None:
                self.seen = [look(view, other_thread), look(view, other_thread)]

    hook = Hook()
    trio.lowlevel.add_instrument(hook)
    await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(hook)
    here, again = hook.seen
    assert (here.process, here.handler) == (None, None)
    assert here.where.startswith(f"{__file__}:")
    assert here.is_same(again)


async def test_without_trios_help_only_the_line_is_reported(other_thread, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "trio._core._run", object())
        view = LoopView()
    here = look(view, other_thread)
    assert (here.process, here.handler, here.message) == (None, None, None)
    assert here.where.startswith(f"{__file__}:")


async def test_a_look_keeps_nothing_alive(other_thread):
    class Thing:
        pass

    async def task():
        thing = Thing()
        alive.append(weakref.ref(thing))
        seen.append(look(view, other_thread))
        del thing
        seen.append(alive[0]())

    view = LoopView()
    alive, seen = [], []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
    here, thing = seen
    assert here.handler.endswith("task")
    assert thing is None
    assert here.key() is None


def test_a_thread_that_has_ended_is_at_nothing(other_thread):
    view = other_thread.submit(LoopView).result()
    other_thread.shutdown()
    while view.look() is not None:
        time.sleep(0.001)
