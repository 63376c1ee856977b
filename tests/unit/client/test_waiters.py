"""Who is woken, and what is left when nobody waits."""

import pytest
import trio
import trio.testing

from nexus_actors.client.waiters import Stored, Waiters


async def test_all_who_wait_for_an_id_are_woken_and_nobody_else() -> None:
    waiters = Waiters()
    woken: list[str] = []

    async def wait(name: str, request_id: str) -> None:
        with waiters.expect(request_id) as stored:
            await stored.wait()
            woken.append(name)

    async with trio.open_nursery() as nursery:
        for name, request_id in (("one", "a"), ("two", "a"), ("three", "b")):
            nursery.start_soon(wait, name, request_id)
        await trio.testing.wait_all_tasks_blocked()
        waiters.wake("unknown")
        waiters.wake("a")
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(woken) == ["one", "two"]
        assert waiters.ids() == ["b"]
        waiters.wake_all()
    assert woken[2:] == ["three"]
    assert waiters.ids() == []


async def test_what_is_set_before_the_wait_is_not_lost_and_counts_once() -> None:
    stored = Stored()
    stored.set()
    stored.set()
    await stored.wait()
    with trio.move_on_after(0) as scope:
        await stored.wait()
    assert scope.cancelled_caught


async def test_a_waiter_that_fails_is_forgotten() -> None:
    waiters = Waiters()
    with pytest.raises(KeyError), waiters.expect("a"):
        raise KeyError
    assert waiters.ids() == []
