# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""GenServer: its starts and callbacks, after gen_server_SUITE (gs) and gen_server_test (ex_gs)."""

import math

import pytest
import trio
import trio.lowlevel

from supervisors import (
    BadReturnValue,
    ChildSpec,
    Continue,
    Crashed,
    FailedToStartChild,
    GenServer,
    Ignore,
    Killed,
    NoReply,
    Normal,
    Registry,
    ServerExited,
    Shutdown,
    StartIgnored,
    Stop,
    Supervisor,
    Timeout,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Chained,
    Do,
    Puppet,
    boom,
    by_bare_continue,
    by_call,
    by_cast,
    by_continue,
    by_info,
    puppet,
    start,
)

CALLBACKS = [by_call, by_cast, by_info, by_continue, by_bare_continue]


async def test_P_GS_01_starts(autojump_clock):
    async with open_tree(Puppet) as ref:
        assert ref.is_alive
    with pytest.raises(StartIgnored):
        async with open_tree(puppet("a", init=lambda _: Ignore())):
            pytest.fail("ignored")
    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(puppet("a", init=lambda _: Stop(Shutdown("stopped")))):
            pytest.fail("stopped")
    assert caught.value.reason == Shutdown("stopped")


async def test_P_GS_09_bad_return(autojump_clock):
    journal = []

    class Bad(Puppet):
        async def handle_call(self, request, caller):
            return "garbage"

    async with open_tree(lambda: Bad("bad", journal)) as ref:
        with pytest.raises(ServerExited) as caught:
            await ref.call(Do(boom))
    reason = caught.value.reason
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BadReturnValue)
    assert reason.exception.value == "garbage"
    assert caught.value.__cause__ is reason.exception
    assert journal[-1] == ("stop", "bad", reason)


@pytest.mark.parametrize("callback", CALLBACKS)
async def test_gs_stop_in_every_callback_runs_terminate_once(autojump_clock, callback):
    wrong = []
    for reason in (Normal(), Shutdown(), Shutdown("x"), Crashed(ValueError())):
        for trap in (True, False):
            found = await stopped(callback, reason, trap)
            if found != (reason, [("start", "a"), ("stop", "a", reason)]):
                wrong.append((reason, trap, *found))
    assert not wrong, "\n".join(map(repr, wrong))


async def stopped(callback, reason, trap):
    """How the actor ended, and what it wrote down until then."""
    journal = []
    async with open_tree(lambda: Chained("a", journal, trap=trap)) as ref:
        await callback(ref, lambda: Stop(reason))
        return await ref.wait(), journal


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("trap", [True, False])
async def test_gs_a_crash_in_every_callback_runs_terminate_with_it(autojump_clock, callback, trap):
    journal = []
    error = ValueError("crash")

    def crash():
        raise error

    async with open_tree(lambda: Chained("a", journal, trap=trap)) as ref:
        await callback(ref, crash)
        assert await ref.wait() == Crashed(error)
    assert journal == [("start", "a"), ("stop", "a", Crashed(error))]


@pytest.mark.parametrize("callback", [by_cast, by_info, by_continue])
async def test_gs_a_bad_return_of_every_callback_is_a_crash(autojump_clock, callback):
    journal = []
    async with open_tree(lambda: Chained("a", journal)) as ref:
        await callback(ref, lambda: "garbage")
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert isinstance(reason.exception, BadReturnValue)
    assert journal[-1] == ("stop", "a", reason)


async def test_gs_what_handle_call_may_not_return(autojump_clock):
    class Bad(Puppet):
        async def handle_call(self, request, caller):
            return request.function(self)

    for result in (None, Continue("x"), "garbage"):
        async with open_tree(Bad) as ref:
            with pytest.raises(ServerExited) as caught:
                await ref.call(Do(lambda _, result=result: result))
            assert isinstance(caught.value.__cause__, BadReturnValue)


@pytest.mark.parametrize("timeout", [-1, "soon", math.nan])
async def test_gs_a_bad_timeout_is_a_crash(autojump_clock, timeout):
    journal = []
    async with open_tree(lambda: Puppet("a", journal)) as ref:
        ref.cast(lambda _: NoReply(timeout=timeout))
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert journal[-1] == ("stop", "a", reason)


async def test_gs_a_timeout_that_makes_it_stop(autojump_clock):
    journal = []

    class Once(Puppet):
        async def handle_info(self, info):
            return Stop(Shutdown("idle")) if info == Timeout() else None

    async with open_tree(lambda: Once("a", journal, init=lambda _: NoReply(timeout=3.0))) as ref:
        before = trio.current_time()
        assert await ref.wait() == Shutdown("idle")
        assert trio.current_time() - before == pytest.approx(3.0)
    assert journal[-1] == ("stop", "a", Shutdown("idle"))


@pytest.mark.parametrize("trap", [True, False])
async def test_gs_undef_terminate_does_not_run_after_a_failed_init(autojump_clock, trap):
    journal = []
    async with open_tree(Supervisor) as top:
        for init in (boom, lambda _: Stop(Shutdown("no")), lambda _: Stop(Normal())):
            with pytest.raises(FailedToStartChild):
                await start(top, "a", journal, init=init, trap=trap)
    assert journal == []


class Bare(GenServer):
    pass


async def test_gs_undef_handle_call_and_cast_crash_but_info_is_logged(autojump_clock, caplog):
    async with open_tree(Bare) as ref:
        with pytest.raises(ServerExited) as caught:
            await ref.call(Do(boom))
        assert isinstance(caught.value.__cause__, NotImplementedError)
    async with open_tree(Bare) as ref:
        ref.cast("x")
        assert isinstance(await ref.wait(), Crashed)
    caplog.clear()
    async with open_tree(Bare) as ref:
        ref.send("secret")
        await trio.sleep(1)
        assert ref.is_alive
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "secret" not in record.getMessage()


async def test_gs_undef_terminate_is_no_problem(autojump_clock):
    async with open_tree(Bare) as ref:
        await ref.stop(Shutdown("x"))
        assert await ref.wait() == Shutdown("x")


async def test_gs_otp_7669_a_start_that_fails_leaves_the_name_free(autojump_clock):
    names = Registry("names")
    seen = []

    def init(result):
        def act(me):
            seen.append(names.whereis("A") == me.ref)  # registered before its init
            return result

        return act

    async with open_tree(lambda: Supervisor([names.child_spec()])) as top:
        with pytest.raises(FailedToStartChild):
            await start(top, "a", name=names.via("A"), init=init(Stop(Shutdown("no"))))
        assert names.whereis("A") is None
        ref = await start(top, "a", name=names.via("A"), init=init(None))
        ref.kill()
        assert await ref.wait() == Killed()
        assert names.whereis("A") is None
    assert seen == [True, True]


async def test_gs_init_a_bad_return_of_init_fails_the_start(autojump_clock):
    class Bad(Puppet):
        async def init(self):
            return "garbage"

    journal = []
    async with open_tree(Supervisor) as top:
        spec = ChildSpec("a", lambda: Bad("a", journal), restart="temporary")
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, spec)
        assert caught.value.__cause__.value == "garbage"
    assert journal == []  # nor does terminate run


async def test_a_terminate_that_raises_the_crash_again_makes_no_circle_of_it(autojump_clock):
    class Again(Puppet):
        async def terminate(self, reason):
            raise reason.exception

    async with open_tree(Again) as ref:
        ref.cast(None)
        reason = await ref.wait()
    assert isinstance(reason, Crashed)
    assert reason.exception.__context__ is None
