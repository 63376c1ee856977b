"""async_stream: what an outcome without a result says."""

import pytest
import trio

from supervisors import Crashed, Exited, Ok, Shutdown, TaskSupervisor, TaskTimeout, open_tree


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_exit_may_bear_the_item_it_was_for(autojump_clock, ordered):
    async def halve(number):
        await trio.sleep(number)
        if number % 2:
            raise ValueError(number)
        return number // 2

    async def outcomes(items, **options):
        stream = TaskSupervisor.async_stream_nolink(
            top, items, halve, ordered=ordered, on_timeout="kill_task", timeout=5, **options
        )
        async with stream as found:
            return [outcome async for outcome in found]

    async with open_tree(TaskSupervisor) as top:
        two, three, late = await outcomes([2, 3, 8], zip_input_on_exit=True)
        assert two == Ok(1)
        match three, late:
            case Exited(Crashed(ValueError()), 3), Exited(Shutdown(TaskTimeout()), 8):
                pass
            case other:
                pytest.fail(repr(other))
        (plain,) = await outcomes([3])
        assert plain == Exited(plain.reason)
        assert repr(three) == repr(plain)  # the item may be a secret
