"""Ctrl-C reaches a command where it waits, never in the middle of what it runs."""

import os
import signal

import pytest
import trio
import trio.lowlevel
import trio.testing

from nexus_actors import cli
from nexus_actors.cli import report
from nexus_actors.cli.running import run


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_cancels_where_the_command_waits_and_all_is_put_in_order() -> None:
    done: list[str] = []

    async def command() -> None:
        try:
            interrupt()
            done.append("what ran was not torn")
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            done.append("put in order")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(command)
    assert done == ["what ran was not torn", "put in order"]
    assert signal.getsignal(signal.SIGINT) is before


def test_tasks_of_the_command_end_with_it() -> None:
    ended: list[int] = []

    async def task(number: int) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(number)

    async def command() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(task, number)
            await trio.testing.wait_all_tasks_blocked()
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        run(command)
    assert sorted(ended) == [0, 1, 2]


def test_what_was_broken_off_may_complain_and_it_is_an_interrupt_all_the_same() -> None:
    async def command() -> None:
        interrupt()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise ConnectionError from None

    with pytest.raises(KeyboardInterrupt):
        run(command)


def test_what_was_done_already_is_done() -> None:
    async def command(answer: int) -> int:
        interrupt()
        return answer

    assert run(command, 42) == 42


def test_a_command_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    async def command() -> str:
        interrupt()
        await trio.lowlevel.checkpoint()
        return "done"

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(command) == "done"
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_process_of_a_container_heeds_sigterm_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel ends no such process by a signal that it has no handler for."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(report, "run", lambda: signal.getsignal(signal.SIGTERM))
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert cli.main() is signal.SIG_DFL
        monkeypatch.setattr(os, "getpid", lambda: 1)
        assert cli.main() is cli.end_at_once
    finally:
        signal.signal(signal.SIGTERM, before)
