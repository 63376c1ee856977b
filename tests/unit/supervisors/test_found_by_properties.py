"""What the property tests have brought to light, as plain tests."""

import math

import pytest
import trio

from supervisors import DynamicSupervisor, ServerExited, Supervisor, open_tree
from supervisors.supervision.administration import CountChildren
from tests.unit.supervisors.actors import Do, Puppet, child, puppet


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


async def test_who_went_down_with_a_child_terminated_amid_its_restart_stays_down(autojump_clock):
    # As in OTP: the restart of a group goes on with the child that failed, and that is no more.
    starts = []

    async def fail_again(_):
        starts.append("a")
        if len(starts) > 1:
            await trio.sleep(1)
            raise ValueError("again")

    specs = [puppet("a", init=fail_again), puppet("b"), puppet("c")]
    async with open_tree(
        lambda: Supervisor(specs, strategy="one_for_all", max_restarts=1000, max_seconds=1.0)
    ) as top:
        (await child(top, "b")).kill()
        await trio.sleep(3.5)
        await Supervisor.terminate_child(top, "a")
        seen = len(starts)
        await trio.sleep(10)
        assert [info.ref for info in await Supervisor.which_children(top)] == [None, None, None]
        assert len(starts) == seen
