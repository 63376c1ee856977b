# ruff: noqa: A001 - an id is an id
"""A program that is a tree: signals, reasons, failures; run and open_tree."""

import math
import os
import signal
import subprocess
import sys

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from supervisors import (
    ChildSpec,
    Crashed,
    Ended,
    FailedToStartChild,
    Killed,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    open_tree,
    run,
)
from tests.unit.supervisors.actors import Puppet, child, puppet


def clock():
    return MockClock(autojump_threshold=0)


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_drains_in_order(number):
    journal = []
    specs = [
        puppet("a", journal, stopping=0.5),
        puppet("b", journal, stopping=0.5, init=lambda me: me.ref.cast(lambda _: send(number))),
    ]
    assert run(lambda: Supervisor(specs), clock=clock()) == Ended(Shutdown(), number)
    assert [e[:2] for e in journal if e[0] == "stop"] == [("stop", "b"), ("stop", "a")]


def test_the_second_signal_kills_which_is_no_crash_to_report(caplog):
    journal = []

    class Slow(Puppet):
        async def terminate(self, reason):
            send(signal.SIGTERM)
            await trio.sleep_forever()

    def first(me):
        me.ref.cast(lambda _: send(signal.SIGTERM))

    spec = ChildSpec("slow", lambda: Slow("slow", journal, init=first), shutdown=10**6)
    assert run(lambda: Supervisor([spec]), clock=clock()).reason == Killed()
    assert [it.levelname for it in caplog.records if it.levelname != "INFO"] == ["WARNING"]


def test_a_signal_during_the_start_stops_what_was_started():
    journal = []

    async def hang(_):
        send(signal.SIGTERM)
        await trio.sleep_forever()

    specs = [puppet("a", journal), puppet("b", init=hang)]
    assert run(lambda: Supervisor(specs), clock=clock()).reason == Shutdown()
    assert journal == [("start", "a"), ("stop", "a", Shutdown())]


def test_a_start_that_fails_is_raised_as_it_is():
    with pytest.raises(FailedToStartChild) as caught:
        run(lambda: Supervisor([puppet("a", init=lambda _: 1 / 0)]), clock=clock())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(FailedToStartChild) as caught:
        run(lambda: 1 / 0, clock=clock())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_root_that_ends_by_itself():
    def finish(me):
        me.ref.cast(lambda _: Stop(Normal()))

    assert run(lambda: Puppet(init=finish), clock=clock()).reason == Normal()


def test_a_root_that_gives_up():
    def crash_later(me):
        me.ref.cast(lambda _: 1 / 0)

    specs = [puppet("a", init=crash_later)]
    assert run(lambda: Supervisor(specs, max_restarts=1), clock=clock()) == Ended(Shutdown(), None)


def test_grace_bounds_the_drain():
    def first(me):
        me.ref.cast(lambda _: send(signal.SIGTERM))

    spec = puppet("slow", init=first, stopping=10**6, shutdown=10**6)
    assert run(lambda: Supervisor([spec]), grace=1.0, clock=clock()).reason == Killed()


def test_signals_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    run(lambda: Puppet(init=lambda me: me.ref.cast(lambda _: Stop(Normal()))), clock=clock())
    assert signal.getsignal(signal.SIGTERM) is before


async def test_keyboard_interrupt_in_an_actor_ends_everything_and_is_never_a_reason(autojump_clock):
    def interrupt(_):
        raise KeyboardInterrupt

    started = []
    leaf = ChildSpec("leaf", lambda: Puppet(init=lambda me: started.append(me.ref)))
    specs = [
        ChildSpec("one", lambda: Supervisor([leaf]), type="supervisor"),
        ChildSpec("two", lambda: Supervisor([leaf]), type="supervisor"),
    ]
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        async with open_tree(lambda: Supervisor(specs)):
            started[0].cast(interrupt)
            await trio.sleep(10)
            pytest.fail("the block must be cancelled")
    assert len(started) == 2
    assert not any(ref.is_alive for ref in started)


async def sleep_forever(_):
    await trio.sleep_forever()


async def test_a_group_of_exceptions_is_one_crash(autojump_clock):
    async def group(_):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep_forever, None)
            raise ValueError("inside")

    async with open_tree(lambda: Supervisor([puppet("a", restart="temporary")])) as top:
        ref = await child(top, "a")
        ref.cast(group)
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, ExceptionGroup)


async def test_cancellation_from_outside_drains_in_order(autojump_clock):
    journal = []
    with trio.CancelScope() as scope:
        async with open_tree(
            lambda: Supervisor([puppet(id, journal, stopping=0.5) for id in "ab"])
        ) as top:
            scope.cancel()
            await trio.sleep(1)
            pytest.fail("cancelled")
    assert scope.cancelled_caught
    assert journal[2:] == [("stop", "b", Shutdown()), ("stop", "a", Shutdown())]
    assert await top.wait() == Shutdown()


async def test_an_exception_of_the_block_comes_out_as_it_is(autojump_clock):
    with pytest.raises(ValueError, match="mine"):
        async with open_tree(Supervisor) as top:
            raise ValueError("mine")
    assert await top.wait() == Shutdown()


async def test_open_tree_kills_after_its_grace(autojump_clock):
    journal = []
    specs = [puppet(id, journal, stopping=100, shutdown=math.inf) for id in "ab"]
    async with open_tree(lambda: Supervisor(specs), grace=3.0) as top:
        before = trio.current_time()
    assert trio.current_time() - before == pytest.approx(3.0)
    assert await top.wait() == Killed()


async def test_a_root_made_by_a_lambda_is_called_root():
    async with open_tree(lambda: Supervisor([])) as top:
        assert top.name == "root"
    async with open_tree(Puppet) as top:
        assert top.name == "Puppet"


def test_it_can_be_imported_where_there_is_no_sighup():
    """As on Windows."""
    program = (
        "import signal\n"
        "del signal.SIGHUP\n"
        "from supervisors import run\n"
        "print(*map(int, run.__kwdefaults__['signals']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout) == ("", "15 2\n")
