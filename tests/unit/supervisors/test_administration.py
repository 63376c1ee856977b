# ruff: noqa: N802 - tests bear the IDs of the conformance list
"""Children added, looked up and taken away, also at awkward moments; after supervisor_SUITE (sup)
and supervisor_test (ex_sup).
"""

import pytest
import trio

from supervisors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildRunning,
    ChildSpec,
    DynamicSupervisor,
    FailedToStartChild,
    Ignore,
    Killed,
    NoProcess,
    Normal,
    NotFound,
    Registry,
    Shutdown,
    Stop,
    Supervisor,
    errors,
    open_tree,
)
from tests.unit.supervisors.actors import (
    MANY,
    Puppet,
    Switch,
    boom,
    child,
    children,
    counts,
    crash,
    end,
    puppet,
    start,
)


async def test_P_AD_01_child_administration(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        first = await child(top, "a")
        with pytest.raises(AlreadyStarted) as caught:
            await Supervisor.start_child(top, puppet("a"))
        assert caught.value.ref == first
        with pytest.raises(NotFound):
            await Supervisor.terminate_child(top, "other")
        await Supervisor.terminate_child(top, "a")
        await Supervisor.terminate_child(top, "a")
        with pytest.raises(AlreadyPresent):
            await Supervisor.start_child(top, puppet("a"))
        again = await Supervisor.restart_child(top, "a")
        assert again is not None
        assert again != first
        with pytest.raises(ChildRunning):
            await Supervisor.restart_child(top, "a")
        with pytest.raises(NotFound):
            await Supervisor.restart_child(top, "other")
        with pytest.raises(ChildRunning):
            await Supervisor.delete_child(top, "a")
        await Supervisor.terminate_child(top, "a")
        await Supervisor.delete_child(top, "a")
        with pytest.raises(NotFound):
            await Supervisor.restart_child(top, "a")


async def test_P_AD_02_a_supervisor_that_is_not_there(autojump_clock):
    nobody = Registry("names").via("nobody")
    before = trio.current_time()
    with pytest.raises(NoProcess):
        await Supervisor.which_children(nobody)
    with pytest.raises(NoProcess):
        await Supervisor.start_child(nobody, puppet("a"))
    with pytest.raises(NoProcess):
        await DynamicSupervisor.count_children(nobody)
    assert trio.current_time() == before


async def test_P_AD_04_two_thousand_children(autojump_clock):
    spec = ChildSpec("t", Puppet, restart="temporary")
    async with open_tree(DynamicSupervisor) as top:
        refs = []
        for _ in range(2):
            refs += [await DynamicSupervisor.start_child(top, spec) for _ in range(1000)]
            count = await DynamicSupervisor.count_children(top)
            assert count.active == count.specs == len(refs)
            assert len(await DynamicSupervisor.which_children(top)) == len(refs)
        for ref in refs:
            ref.kill()
        await trio.sleep(1)
        assert (await DynamicSupervisor.count_children(top)).specs == 0


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_start_child_during_a_restart_of_the_group_waits_for_it(autojump_clock, strategy):
    one = Switch(pause=1.0)
    journal = []
    specs = [puppet("1", init=one.init), puppet("2", journal)]
    async with open_tree(lambda: Supervisor(specs, strategy=strategy, **MANY)) as top:
        await crash(await child(top, "1"))
        started = trio.current_time()
        three = await Supervisor.start_child(top, puppet("3"))
        assert trio.current_time() - started == pytest.approx(1.0, abs=0.05)
        assert journal == [
            ("start", "2"),
            ("stop", "2", Shutdown()),
            ("start", "2"),
        ]
        assert three.is_alive
        assert list(await children(top)) == ["1", "2", "3"]


async def test_requests_wait_for_a_slow_start_and_are_then_answered(autojump_clock):
    answered = {}

    async def ask(word, function, *args):
        await function(*args)
        answered[word] = trio.current_time() - begun

    async def sleep_two(_):
        await trio.sleep(2)

    slow = puppet("slow", init=sleep_two)
    async with open_tree(Supervisor) as top:
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "start", Supervisor.start_child, top, slow)
            await trio.sleep(0.5)
            nursery.start_soon(ask, "which", Supervisor.which_children, top)
            await trio.sleep(0.5)
            nursery.start_soon(ask, "count", Supervisor.count_children, top)
    assert set(answered) == {"start", "which", "count"}
    assert list(answered.values()) == pytest.approx([2, 2, 2])


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("how", ["kill", "normal", "abnormal", "supervisor"])
async def test_sup_do_not_save_child_specs_for_temporary_children(autojump_clock, strategy, how):
    async def end_it(top, ref, id):  # noqa: A002
        if how == "supervisor":
            await Supervisor.terminate_child(top, id)
        elif how == "kill":
            ref.kill()
        else:
            ref.cast((lambda _: Stop(Normal())) if how == "normal" else boom)
        await ref.wait()
        await trio.sleep(0.01)

    async with open_tree(lambda: Supervisor(strategy=strategy, **MANY)) as top:
        for restart in ("permanent", "transient", "temporary"):
            spec = puppet(restart, restart=restart)
            ref = await Supervisor.start_child(top, spec)
            await end_it(top, ref, restart)
            stopped = how == "supervisor" or (restart, how) == ("transient", "normal")
            if restart == "temporary":
                assert await Supervisor.start_child(top, spec)
            elif stopped:
                with pytest.raises(AlreadyPresent):
                    await Supervisor.start_child(top, spec)
                assert await Supervisor.restart_child(top, restart)
            else:
                with pytest.raises(AlreadyStarted):
                    await Supervisor.start_child(top, spec)


async def test_sup_child_adm_a_restarted_child_keeps_its_place_a_new_one_is_last(autojump_clock):
    journal = []
    async with open_tree(lambda: Supervisor([puppet(x, journal) for x in "123"])) as top:
        await Supervisor.terminate_child(top, "1")
        await Supervisor.restart_child(top, "1")
        assert list(await children(top)) == ["1", "2", "3"]
        await Supervisor.terminate_child(top, "1")
        await Supervisor.delete_child(top, "1")
        await Supervisor.start_child(top, puppet("1", journal))
        assert list(await children(top)) == ["2", "3", "1"]
        journal.clear()
    assert [entry[1] for entry in journal] == ["1", "3", "2"]


async def test_sup_child_adm_requests_for_nobody(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("1")])) as top:
        for request in (
            Supervisor.terminate_child,
            Supervisor.restart_child,
            Supervisor.delete_child,
            Supervisor.get_childspec,
        ):
            with pytest.raises(NotFound):
                await request(top, "2")
        ref = await child(top, "1")
        with pytest.raises(NotFound):
            await Supervisor.terminate_child(top, ref)  # by its id only
        assert ref.is_alive


async def test_sup_restart_child_that_fails_or_is_ignored_leaves_the_spec(autojump_clock):
    one = Switch()
    async with open_tree(lambda: Supervisor([puppet("1", init=one.init)])) as top:
        await Supervisor.terminate_child(top, "1")
        one.mode = "fail"
        with pytest.raises(FailedToStartChild):
            await Supervisor.restart_child(top, "1")
        assert await counts(top) == (1, 0, 0, 1)
        one.mode = "ignore"
        assert await Supervisor.restart_child(top, "1") is None
        assert await children(top) == {"1": None}
        one.mode = "ok"
        assert await Supervisor.restart_child(top, "1")


async def test_terminate_and_restart_by_hand_do_not_count(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("1")], max_restarts=0)) as top:
        for _ in range(5):
            await Supervisor.terminate_child(top, "1")
            await Supervisor.restart_child(top, "1")
        assert top.is_alive


async def test_delete_child_of_a_transient_one_that_has_ended(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("1", restart="transient")])) as top:
        ref = await child(top, "1")
        with pytest.raises(ChildRunning):
            await Supervisor.delete_child(top, "1")
        await end(ref, Normal())
        await Supervisor.delete_child(top, "1")
        assert await counts(top) == (0, 0, 0, 0)


async def test_sup_already_started_outside_supervisor(autojump_clock):
    """A name that another process has: the start says so and nothing is kept."""
    names = Registry("names")
    via = names.via("A")
    async with open_tree(lambda: Supervisor([names.child_spec(), puppet("1", name=via)])) as top:
        for restart in ("permanent", "transient", "temporary"):
            with pytest.raises(AlreadyStarted) as caught:
                await start(top, "2", restart=restart, name=via)
            assert caught.value.ref == await child(top, "1")
        assert list(await children(top)) == ["names", "1"]
    with pytest.raises(FailedToStartChild) as failed:
        async with open_tree(
            lambda: Supervisor([names.child_spec(), puppet("1", name=via), puppet("2", name=via)])
        ):
            pytest.fail("it must not start")
    assert failed.value.id == "2"
    assert isinstance(failed.value.__cause__, AlreadyStarted)
    assert names.keys() == []


async def test_sup_start_fails_a_child_that_ends_in_init_whatever_its_reason(autojump_clock):
    for reason in (Normal(), Shutdown(), Shutdown("x"), Killed()):
        specs = [puppet("1"), puppet("2", init=lambda _, reason=reason: Stop(reason))]
        with pytest.raises(FailedToStartChild) as caught:
            async with open_tree(lambda specs=specs: Supervisor(specs)):
                pytest.fail("it must not start")
        assert (caught.value.id, caught.value.reason) == ("2", reason)


async def test_sup_start_child_whose_start_raises_anything(autojump_clock):
    class Odd(Exception):
        pass

    def raise_odd():
        raise Odd

    async with open_tree(Supervisor) as top:
        with pytest.raises(FailedToStartChild) as caught:
            await Supervisor.start_child(top, ChildSpec("1", raise_odd))
        assert isinstance(caught.value.__cause__, Odd)
        assert await children(top) == {}


async def test_sup_ignore_everywhere(autojump_clock):
    """Static children that say Ignore do not fail the start, and no one is listed with a pid."""
    specs = [
        ChildSpec("permanent", Ignore),
        puppet("transient", restart="transient", init=lambda _: Ignore()),
        ChildSpec("temporary", Ignore, restart="temporary"),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        assert await children(top) == {"permanent": None, "transient": None}
        assert await counts(top) == (2, 0, 0, 2)


async def test_one_that_crashes_while_a_later_sibling_starts_is_restarted_after(autojump_clock):
    firsts = []

    async def second(_):
        firsts[0].kill()
        await trio.sleep(1)
        assert len(firsts) == 1

    specs = [puppet("1", init=lambda me: firsts.append(me.ref)), puppet("2", init=second)]
    async with open_tree(lambda: Supervisor(specs)) as top:
        await trio.sleep(0.1)
        assert len(firsts) == 2
        assert await child(top, "1") == firsts[1]


async def test_sup_child_specs_a_refused_spec_changes_nothing(autojump_clock):
    async with open_tree(lambda: Supervisor([puppet("1")])) as top:
        before = await children(top)
        for wrong in (None, {}, ("1", Puppet), Puppet, puppet("2").start):
            with pytest.raises(errors.InvalidChildSpec):
                await Supervisor.start_child(top, wrong)
        with pytest.raises(errors.InvalidSignificant):
            await Supervisor.start_child(top, puppet("2", restart="transient", significant=True))
        assert await children(top) == before


async def test_sup_an_unexpected_message_to_a_supervisor_is_logged(autojump_clock, caplog):
    async with open_tree(Supervisor) as top:
        top.send("what")
        await trio.sleep(1)
        assert top.is_alive
    assert "unexpected" in caplog.text


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
