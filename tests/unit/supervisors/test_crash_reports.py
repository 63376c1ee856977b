"""What a supervisor reports of its children's ends, and what it keeps to itself."""

import pytest
import trio
import trio.lowlevel

from supervisors import (
    ChildSpec,
    Normal,
    ServerExited,
    Shutdown,
    Supervisor,
    open_tree,
)
from tests.unit.supervisors.actors import (
    Do,
    Puppet,
    boom,
    child,
    end,
    ends_with,
    puppet,
)


async def test_a_crash_is_reported_once_and_tells_no_secrets(autojump_clock, caplog):
    class Secretive(Puppet):
        def __repr__(self):
            return "SECRET STATE"

    class Secret:
        def __call__(self, _):
            raise RuntimeError("boom")

        def __repr__(self):
            return "SECRET MESSAGE"

    async with open_tree(lambda: Supervisor([ChildSpec("a", Secretive)], name="Top")) as top:
        ref = await child(top, "a")
        ref.cast(Secret())
        await ref.wait()
        await trio.sleep(1)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("supervisors", "ERROR")
    assert (record.supervisor, record.context, record.offender) == ("Top", "child_terminated", "a")
    assert record.reason == "RuntimeError: boom"
    assert record.exc_info[0] is RuntimeError
    assert "SECRET" not in caplog.text


async def test_normal_ends_of_those_who_may_end_are_not_errors(autojump_clock, caplog):
    specs = [puppet("a", restart="transient"), puppet("b", restart="temporary")]
    async with open_tree(lambda: Supervisor(specs)) as top:
        await end(await child(top, "a"), Normal())
        await end(await child(top, "b"), Shutdown("x"))
    assert not caplog.records


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize(
    ("how", "reports"),
    [
        (Shutdown(), []),
        (ValueError("bad end"), ["shutdown_error"]),
    ],
    ids=["asked", "crash"],
)
async def test_sup_format_log_reports_of_a_stop(autojump_clock, caplog, restart, how, reports):
    async with open_tree(lambda: Supervisor([ends_with(how, restart=restart)])):
        pass
    assert [(r.context, r.offender) for r in caplog.records] == [(c, "a") for c in reports]


@pytest.mark.parametrize("restart", ["transient", "temporary"])
@pytest.mark.parametrize("reason", [Normal(), Shutdown("x")])
async def test_sup_format_log_an_orderly_end_is_no_error(autojump_clock, caplog, restart, reason):
    async with open_tree(lambda: Supervisor([ends_with(reason, restart=restart)])):
        pass
    assert not caplog.records


async def test_sup_format_log_giving_up_is_reported(autojump_clock, caplog):
    async with open_tree(lambda: Supervisor([puppet("a")], max_restarts=0, name="Top")) as top:
        (await child(top, "a")).cast(boom)
        await top.wait()
    assert [(r.supervisor, r.context, r.offender) for r in caplog.records] == [
        ("Top", "child_terminated", "a"),
        ("Top", "shutdown", "a"),
    ]


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


async def test_sup_report_one_that_crashed_before_its_brutal_kill(autojump_clock, caplog):
    async def crash_soon(_):
        await trio.sleep(0.2)
        raise ValueError("while the other is being stopped")

    specs = [puppet("a", shutdown="brutal_kill"), puppet("z", stopping=0.5)]
    async with open_tree(lambda: Supervisor(specs)) as top:
        (await child(top, "a")).cast(crash_soon)
    assert [(r.context, r.offender) for r in caplog.records] == [("shutdown_error", "a")]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("nothing to say")


async def test_an_exception_that_cannot_say_what_it_is_ends_no_more_than_its_actor(autojump_clock):
    def fail(_):
        raise Mute

    async with open_tree(lambda: Supervisor([puppet("a")])) as top:
        before = await child(top, "a")
        with pytest.raises(ServerExited) as caught:
            await before.call(Do(fail))
        assert isinstance(caught.value.__cause__, Mute)
        await trio.sleep(0.1)
        assert await child(top, "a") != before
