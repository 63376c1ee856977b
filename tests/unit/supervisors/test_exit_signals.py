"""What reading OTP's and Elixir's suites once more has brought to light."""

import math

import pytest
import trio

from supervisors import (
    ChildSpec,
    Crashed,
    DynamicSupervisor,
    FailedToStartChild,
    Ignore,
    Normal,
    NotFound,
    Shutdown,
    Stop,
    Supervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import Do, Puppet, boom, child, children, crash, end, puppet


async def start(top, name, journal=None, **options):
    ref = await Supervisor.start_child(top, puppet(name, journal, restart="temporary", **options))
    assert ref is not None
    return ref


def fails_from_the_second_on(starts, pause=0.1):
    async def init(actor):
        starts.append(actor.ref)
        if len(starts) > 1:
            await trio.sleep(pause)
            raise RuntimeError("cannot start again")

    return init


@pytest.mark.timeout(5)
async def test_a_child_that_sends_its_supervisor_an_exit_signal_does_not_escape_it(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        ref = await child(top, "a")
        ref.cast(lambda me: top.exit(Shutdown("x")))
        await trio.sleep(1)
    assert not ref.is_alive


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


@pytest.mark.parametrize("base", [Supervisor, DynamicSupervisor])
async def test_sup_start_error_return_a_bad_return_of_a_supervisors_init(autojump_clock, base):
    class Bad(base):
        async def init(self):
            return "garbage"

    with pytest.raises(FailedToStartChild) as caught:
        async with open_tree(Bad):
            pytest.fail("it must not start")
    assert caught.value.__cause__.value == "garbage"


async def test_ex_dyn_terminates_a_restarting_child_by_its_old_ref(autojump_clock):
    starts = []
    async with open_tree(lambda: DynamicSupervisor(max_restarts=10**6)) as top:
        spec = puppet("a", init=fails_from_the_second_on(starts))
        ref = await DynamicSupervisor.start_child(top, spec)
        ref.cast(boom)
        await trio.sleep(1)
        await DynamicSupervisor.terminate_child(top, ref)
        with pytest.raises(NotFound):
            await DynamicSupervisor.terminate_child(top, ref)
        assert (await DynamicSupervisor.count_children(top)).specs == 0
        tried = len(starts)
        await trio.sleep(1)
        assert len(starts) == tried


async def test_ex_dyn_a_child_whose_restart_says_ignore_is_forgotten(autojump_clock):
    starts = []

    def init(me):
        starts.append(me)
        return Ignore() if len(starts) > 1 else None

    async with open_tree(lambda: DynamicSupervisor(max_children=1)) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a", init=init))
        await crash(ref)
        assert await DynamicSupervisor.which_children(top) == []
        assert (await DynamicSupervisor.count_children(top)).specs == 0
        assert await DynamicSupervisor.start_child(top, puppet("b"))  # the only place is free


@pytest.mark.parametrize("reason", [Normal(), Shutdown(), Shutdown("x")])
async def test_ex_dyn_a_transient_child_that_ends_in_order_is_forgotten(autojump_clock, reason):
    async with open_tree(lambda: DynamicSupervisor(max_children=1)) as top:
        ref = await DynamicSupervisor.start_child(top, puppet("a", restart="transient"))
        await end(ref, reason)
        assert await DynamicSupervisor.which_children(top) == []
        assert (await DynamicSupervisor.count_children(top)).specs == 0
        assert await DynamicSupervisor.start_child(top, puppet("b"))  # the only place is free


async def test_sup_all_significant_one_that_is_being_restarted_has_not_ended(autojump_clock):
    starts = []
    specs = [
        puppet("a", init=fails_from_the_second_on(starts), restart="transient", significant=True),
        puppet("b", restart="transient", significant=True),
    ]
    async with open_tree(
        lambda: Supervisor(specs, auto_shutdown="all_significant", max_restarts=10**6)
    ) as top:
        b = await child(top, "b")
        starts[0].cast(boom)
        await trio.sleep(1.05)
        b.cast(lambda _: Stop(Normal()))
        await trio.sleep(1)
        assert top.is_alive
        assert await children(top) == {"a": None, "b": None}


async def test_gs_stop_with_a_reply_answers_after_terminate(autojump_clock):
    journal = []
    async with open_tree(puppet("a", journal, stopping=0.3)) as ref:
        before = trio.current_time()
        assert await ref.call(Do(lambda _: Stop(Normal(), reply="bye"))) == "bye"
        assert journal[-1] == ("stop", "a", Normal())
        assert trio.current_time() - before == pytest.approx(0.3)


async def test_gs_stop_with_a_reply_answers_though_terminate_crashes(autojump_clock):
    class Bad(Puppet):
        async def terminate(self, reason):
            raise ValueError("bad end")

    async with open_tree(Bad) as ref:
        assert await ref.call(Do(lambda _: Stop(Normal(), reply="bye"))) == "bye"


@pytest.mark.parametrize("reason", [Shutdown(), Normal(), Crashed(ValueError())])
async def test_a_root_that_traps_terminates_when_its_owner_tells_it_to_exit(autojump_clock, reason):
    journal = []
    async with open_tree(puppet("a", journal)) as ref:
        ref.exit(reason)
        with trio.fail_after(1):
            assert await ref.wait() == reason
    assert journal[-1] == ("stop", "a", reason)


async def test_an_exit_signal_from_a_stranger_does_not_end_a_nested_supervisor(autojump_clock):
    sub = ChildSpec("sub", Supervisor, type="supervisor")
    async with open_tree(lambda: Supervisor([sub])) as top:
        ref = await child(top, "sub")
        ref.exit(Shutdown())
        await trio.sleep(1)
        assert ref.is_alive


async def test_demonitor_with_flush_takes_a_down_that_is_already_here(autojump_clock):
    async with open_tree(Supervisor) as top:
        a, dead = await start(top, "a"), await start(top, "dead")
        await dead.stop()
        await a.call(Do(lambda me: me.demonitor(me.monitor(dead), flush=True)))
        assert await a.call(Do(lambda me: me.got)) == []


async def test_an_exit_signal_normal_to_oneself_ends_one_who_does_not_trap(autojump_clock):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", trap=False)
        ref.cast(lambda me: me.ref.exit(Normal()))
        with trio.fail_after(1):
            assert await ref.wait() == Normal()


async def test_sup_report_every_end_of_a_permanent_child_is_reported(autojump_clock, caplog):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        await end(await child(top, "a"), Normal())
        await end(await child(top, "a"), Shutdown("x"))
        assert [r.context for r in caplog.records] == ["child_terminated"] * 2


@pytest.mark.parametrize("reason", [Normal(), Shutdown("x")])
@pytest.mark.parametrize(
    ("restart", "reports"),
    [("permanent", ["shutdown_error"]), ("transient", []), ("temporary", [])],
)
async def test_sup_report_who_ends_otherwise_than_asked(
    autojump_clock, caplog, reason, restart, reports
):
    class Own(Puppet):
        async def terminate(self, _):
            return reason

    async with open_tree(lambda: Supervisor([ChildSpec("a", Own, restart=restart)])):
        pass
    assert [r.context for r in caplog.records] == reports


async def test_sup_an_unexpected_message_to_a_supervisor_is_logged(autojump_clock, caplog):
    async with open_tree(Supervisor) as top:
        top.send("what")
        await trio.sleep(1)
        assert top.is_alive
    assert "unexpected" in caplog.text


async def test_sup_report_one_that_crashed_before_its_brutal_kill(autojump_clock, caplog):
    async def crash_soon(_):
        await trio.sleep(0.2)
        raise ValueError("while the other is being stopped")

    specs = [puppet("a", shutdown="brutal_kill"), puppet("z", stopping=0.5)]
    async with open_tree(lambda: Supervisor(specs)) as top:
        (await child(top, "a")).cast(crash_soon)
    assert [(r.context, r.offender) for r in caplog.records] == [("shutdown_error", "a")]


@pytest.mark.parametrize("timeout", ["invalid", None, -1, math.nan])
async def test_gs_stop3_a_bad_timeout_is_refused_before_anything_happens(autojump_clock, timeout):
    handled = []
    async with open_tree(Puppet) as ref:
        with pytest.raises((ValueError, TypeError)):
            await ref.call(Do(lambda _: handled.append("call")), timeout=timeout)
        with pytest.raises((ValueError, TypeError)):
            await ref.stop(Shutdown("other"), timeout=timeout)
        await trio.sleep(1)
        assert ref.is_alive
    assert handled == []


@pytest.mark.parametrize("garbage", [None, "x", ValueError, ValueError("x")])
async def test_what_is_no_exit_reason_is_refused(autojump_clock, garbage):
    async with open_tree(Supervisor) as top:
        ref = await start(top, "a", trap=False)
        with pytest.raises(TypeError):
            await ref.stop(garbage, timeout=1)
        with pytest.raises(TypeError):
            ref.exit(garbage)
        ref.cast(lambda _: Stop(garbage))
        with trio.fail_after(1):
            assert isinstance(await ref.wait(), Crashed)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"strategy": "unknown"}, errors.InvalidStrategy),
        ({"auto_shutdown": "any_significant"}, errors.InvalidAutoShutdown),
    ],
)
def test_ex_dyn_with_non_ok_init_each_flag_has_its_error(wrong, error):
    with pytest.raises(error):
        DynamicSupervisor(**wrong)
