"""The tree of processes, as told while it lives."""

import time

import trio

from supervisors import (
    ChildSpec,
    Normal,
    Supervisor,
    open_tree,
    tree,
    unread,
)
from tests.unit.supervisors.actors import (
    INTENSITY,
    child,
    crash,
    end,
    puppet,
)


async def test_the_tree_is_told_while_a_child_is_stuck(autojump_clock):
    async def stuck(_):
        await trio.sleep_forever()

    inner = ChildSpec("inner", lambda: Supervisor([puppet("stuck")]), type="supervisor")
    specs = [inner, puppet("quiet"), puppet("over", restart="transient")]
    async with open_tree(lambda: Supervisor(specs, name="Top", **INTENSITY)) as top:
        ref = await child(await child(top, "inner"), "stuck")
        await crash(await child(top, "quiet"))
        await end(await child(top, "over"), Normal())
        ref.cast(stuck)
        ref.cast(stuck)
        begun = time.time()
        await trio.sleep(10)
        node = await tree(top)
        assert (node.name, node.class_name, node.type) == ("Top", "Supervisor", "supervisor")
        assert (node.recent_restarts, node.max_restarts, node.status) == (1, 2, "idle")
        branch, quiet, over = node.children
        assert (quiet.status, quiet.restarts, quiet.class_name) == ("idle", 1, "Puppet")
        assert (over.status, over.pid) == ("stopped", None)
        (leaf,) = branch.children
        assert (leaf.status, leaf.mailbox_length, leaf.pid) == ("busy", 1, ref.pid)
        assert leaf.current_message == "function"
        assert begun <= leaf.since <= time.time()
        assert leaf.uptime >= 10
        assert unread(top) == {"stuck": 1}, "empty mailboxes are left out"
    assert unread(top) == {}
