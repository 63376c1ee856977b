# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Restart type and exit reason: who is restarted after which end."""

import pytest

from supervisors import (
    Crashed,
    Killed,
    Normal,
    Shutdown,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    INTENSITY,
    child,
    children,
    counts,
    crash,
    end,
    puppet,
)


def one(restart, **options):
    return lambda: Supervisor([puppet("a", restart=restart)], **{**INTENSITY, **options})


async def test_P_RX_01_permanent_normal(autojump_clock):
    async with open_tree(one("permanent")) as top:
        ref = await child(top, "a")
        await end(ref, Normal())
        assert await child(top, "a") != ref
        assert await counts(top) == (1, 1, 0, 1)


async def test_P_RX_02_transient_normal(autojump_clock):
    async with open_tree(one("transient")) as top:
        await end(await child(top, "a"), Normal())
        assert await children(top) == {"a": None}
        assert await counts(top) == (1, 0, 0, 1)


async def test_P_RX_03_temporary_normal(autojump_clock):
    async with open_tree(one("temporary")) as top:
        await end(await child(top, "a"), Normal())
        assert await children(top) == {}
        assert await counts(top) == (0, 0, 0, 0)


async def test_P_RX_04_permanent_shutdown(autojump_clock):
    async with open_tree(one("permanent")) as top:
        first = await child(top, "a")
        await end(first, Shutdown())
        second = await child(top, "a")
        await end(second, Shutdown("info"))
        assert len({first, second, await child(top, "a")}) == 3


async def test_P_RX_05_transient_shutdown(autojump_clock):
    async with open_tree(one("transient")) as top:
        await end(await child(top, "a"), Shutdown())
        assert await children(top) == {"a": None}
        ref = await Supervisor.restart_child(top, "a")
        assert ref is not None
        await end(ref, Shutdown("info"))
        assert await children(top) == {"a": None}


@pytest.mark.parametrize("restart", ["permanent", "transient"])
@pytest.mark.parametrize("reason", [Killed(), Crashed(ValueError())])
async def test_P_RX_07_abnormal(autojump_clock, restart, reason):
    async with open_tree(one(restart)) as top:
        ref = await child(top, "a")
        await end(ref, reason)
        assert await child(top, "a") != ref


async def test_P_RX_08_temporary_abnormal(autojump_clock):
    async with open_tree(one("temporary")) as top:
        await crash(await child(top, "a"))
        assert await counts(top) == (0, 0, 0, 0)
