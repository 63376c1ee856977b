"""The fixture `supervised`, as a user's tests see it: each case runs pytest on its own file."""

import tomllib
from pathlib import Path

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).resolve().parents[3] / "supervisors" / "pyproject.toml"

# In this process the plugin's asserts can no longer be rewritten: it has none.
PLUGINS = ("-p", "supervisors.pytest_plugin", "-Wignore::pytest.PytestAssertRewriteWarning")

ACTORS = """
import pytest, trio
from supervisors import (
    Call, ChildSpec, FailedToStartChild, GenServer, Killed, Normal, Reply, Shutdown, Supervisor,
)

journal = []

class Echo(GenServer):
    trap_exit = True

    def __init__(self, name="echo"):
        self.label = name

    async def handle_call(self, request, caller):
        return Reply("pong")

    async def handle_cast(self, message):
        raise ValueError(message)

    async def terminate(self, reason):
        journal.append((self.label, reason))

class Bad(Echo):
    async def init(self):
        raise OSError("no socket")

class BadEnd(Echo):
    async def terminate(self, reason):
        raise ValueError("at the end")

def tree(name="child"):
    return Supervisor([ChildSpec(name, Echo)])

async def child(top):
    (info,) = await Supervisor.which_children(top)
    return info.ref
"""

INSTALLED = """
import sys

imported = [name for name in sys.modules if name.partition(".")[0] == "supervisors"]

def test_collecting_imports_none_of_the_runtime():
    assert imported == []

async def test_uses_it(supervised):
    from supervisors import GenServer

    assert (await supervised(GenServer)).is_alive
"""


def run(pytester, tests, *words):
    """The outcomes of these tests, with settings of their own."""
    pytester.makeini("[pytest]\ntrio_mode = true\nfilterwarnings = error")
    pytester.makepyfile(ACTORS + tests)
    return pytester.runpytest_inprocess(*PLUGINS, *words)


def test_actors_run_in_the_test_and_stop_after_it_the_last_first(pytester):
    done = run(
        pytester,
        """
        async def test_uses_them(supervised, autojump_clock):
            first = await supervised(lambda: Echo("first"))
            await supervised(ChildSpec("second", lambda: Echo("second")))
            assert await first.call(Call()) == "pong"
            await trio.sleep(3600)
            assert journal == []

        def test_they_are_gone():
            assert journal == [("second", Shutdown()), ("first", Shutdown())]
        """.replace("\n        ", "\n"),
    )
    done.assert_outcomes(passed=2)


def test_stop_ends_one_of_them_at_once_and_only_once(pytester):
    done = run(
        pytester,
        """
        async def test_stops_one(supervised):
            first = await supervised(Echo)
            second = await supervised(Echo)
            await supervised.stop(first)
            assert not first.is_alive and second.is_alive
            for ref in (first, await child(await supervised(tree))):
                with pytest.raises(LookupError, match="not started by this fixture"):
                    await supervised.stop(ref)
        """.replace("\n        ", "\n"),
    )
    done.assert_outcomes(passed=1)


def test_a_crash_fails_the_test_and_names_the_actor(pytester):
    done = run(
        pytester,
        """
        async def test_root(supervised):
            ref = await supervised(Echo)
            ref.cast("boom in the root")
            await ref.wait()

        async def test_child_that_is_restarted(supervised, autojump_clock):
            ref = await child(await supervised(tree))
            ref.cast("boom in a child")
            await trio.sleep(1)

        async def test_at_its_end(supervised):
            await supervised(BadEnd)

        async def test_when_stopped(supervised):
            await supervised.stop(await supervised(BadEnd))
        """.replace("\n        ", "\n"),
    )
    done.assert_outcomes(failed=4)
    text = done.stdout.str()
    assert "AssertionError: crashed in this test: Echo (Echo): Crashed(" in text
    assert "AssertionError: crashed in this test: child (Echo): Crashed(" in text
    assert "ValueError: boom in the root" in text  # the cause, with its traceback


def test_what_may_crash_and_other_ends_do_not_fail_it(pytester):
    done = run(
        pytester,
        """
        async def test_may_crash(supervised, autojump_clock):
            ref = await child(await supervised(tree, may_crash=True))
            ref.cast("expected")
            assert await ref.wait() != Normal()

        async def test_kill_and_stop(supervised):
            killed, stopped = await supervised(Echo), await supervised(Echo)
            killed.kill()
            await stopped.stop()
            assert await killed.wait() == Killed()

        async def test_start_that_fails_is_raised(supervised):
            with pytest.raises(FailedToStartChild) as caught:
                await supervised(Bad)
            assert isinstance(caught.value.__cause__, OSError)
            with pytest.raises(FailedToStartChild):
                await supervised(lambda: Supervisor([ChildSpec("bad", Bad)]))
            top = await supervised(tree)
            with pytest.raises(FailedToStartChild):
                await Supervisor.start_child(top, ChildSpec("bad", Bad))

        async def test_trees_of_others(supervised, autojump_clock):
            from supervisors.testing import supervised as block

            async with block(Echo, may_crash=True) as ref:
                ref.cast("not ours")
                await ref.wait()
        """.replace("\n        ", "\n"),
    )
    done.assert_outcomes(passed=4)


def test_the_tests_own_failure_is_shown_beside_the_crash(pytester):
    done = run(
        pytester,
        """
        async def test_fails(supervised, autojump_clock):
            ref = await supervised(Echo)
            ref.cast("boom")
            await trio.sleep(1)
            assert ref.is_alive, "my own assertion"
        """.replace("\n        ", "\n"),
    )
    done.assert_outcomes(failed=1)
    assert "my own assertion" in done.stdout.str()
    assert "crashed in this test: Echo (Echo)" in done.stdout.str()


def test_with_the_marker_instead_of_trio_mode(pytester):
    pytester.makepyfile(
        ACTORS
        + """
@pytest.mark.trio
async def test_uses_it(supervised):
    assert await (await supervised(Echo)).call(Call()) == "pong"
"""
    )
    done = pytester.runpytest_inprocess(*PLUGINS)
    done.assert_outcomes(passed=1)


def test_it_is_listed_with_what_it_is_for(pytester):
    done = run(pytester, "", "--fixtures")
    done.stdout.fnmatch_lines(["*supervised*", "*Start actors and trees for this test*"])


def test_installed_it_may_also_be_named_in_a_conftest(pytester, monkeypatch):
    """As the entry point of a wheel, and by `pytest_plugins`: it is one plugin."""
    entry_points = tomllib.loads(PROJECT.read_text())["project"]["entry-points"]["pytest11"]
    installed = pytester.mkdir("installed")
    metadata = installed / "otp_supervisors-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: otp-supervisors\nVersion: 0\n")
    lines = [f"{name} = {module}" for name, module in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    places = (installed, PROJECT.parent / "plugin", PROJECT.parents[1])
    monkeypatch.setenv("PYTHONPATH", ":".join(map(str, places)))
    pytester.makeini("[pytest]\ntrio_mode = true\nfilterwarnings = error")
    pytester.makepyfile(INSTALLED)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
    pytester.makeconftest('pytest_plugins = ["supervisors.pytest_plugin"]')
    done = pytester.runpytest_subprocess("-k", "uses_it")
    done.assert_outcomes(passed=1, deselected=1)


def test_under_asyncio_it_names_what_it_needs(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_asks_for_it(supervised):
            pass
        """
    )
    done = pytester.runpytest_inprocess(*PLUGINS)
    done.assert_outcomes(errors=1)
    assert "needs pytest-trio: mark the test with pytest.mark.trio" in done.stdout.str()
    assert "NotInTrio" in done.stdout.str()
