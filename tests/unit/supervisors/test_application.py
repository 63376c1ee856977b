"""A program that is a tree: signals, reasons, failures."""

import os
import signal

import pytest
import trio
from trio.testing import MockClock

from supervisors import (
    ChildSpec,
    Ended,
    FailedToStartChild,
    Killed,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    run,
)
from tests.unit.supervisors.actors import Puppet, puppet


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


def test_the_second_signal_kills():
    journal = []

    class Slow(Puppet):
        async def terminate(self, reason):
            send(signal.SIGTERM)
            await trio.sleep_forever()

    def first(me):
        me.ref.cast(lambda _: send(signal.SIGTERM))

    spec = ChildSpec("slow", lambda: Slow("slow", journal, init=first), shutdown=10**6)
    assert run(lambda: Supervisor([spec]), clock=clock()).reason == Killed()


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
