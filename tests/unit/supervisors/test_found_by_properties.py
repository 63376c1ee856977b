"""What the property tests have brought to light, as plain tests."""

import math

import pytest
import trio

from supervisors import DynamicSupervisor, ServerExited, Supervisor, open_tree
from supervisors.administration import CountChildren
from tests.unit.supervisors.actors import Do, Puppet


@pytest.mark.parametrize(
    ("root", "request_"),
    [
        (Puppet, Do(lambda _: None)),
        (Supervisor, CountChildren()),
        (DynamicSupervisor, CountChildren()),
    ],
)
async def test_who_calls_in_the_instant_of_a_kill_is_answered(autojump_clock, root, request_):
    told = []

    async def ask(ref):
        try:
            await ref.call(request_, timeout=math.inf)
        except ServerExited as error:
            told.append(error)

    class Killer(trio.abc.Instrument):
        """Kills when the call has woken the server, before the server can run."""

        def after_task_step(self, _):
            if len(ref._process.mailbox):
                ref.kill()

    async with open_tree(root) as ref, trio.open_nursery() as nursery:
        await trio.sleep(1)
        killer = Killer()
        trio.lowlevel.add_instrument(killer)
        nursery.start_soon(ask, ref)
        await ref.wait()
        trio.lowlevel.remove_instrument(killer)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert told
