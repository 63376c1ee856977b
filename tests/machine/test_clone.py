"""The pages' lines that are carried out in a clone: make's targets, pytest, drills, profiles.

They share one clone, and run in this order: `make setup` and `make dev` install what the others
need.
"""

import re

import pytest

from tests.docs.shell import Command
from tests.machine.lines import Shell, block, cannot, line
from tests.machine.machine import PATIENCE, Machine

BENCHMARKS = "benchmarks/README.md"
CONTRIBUTING = "CONTRIBUTING.md"
PYTEST = block(CONTRIBUTING, "-k throttled") + block(CONTRIBUTING, "-k operating")
CONFIG = """
[service]
data_dir = "/srv/profiled"
[admin]
listen = ""
"""
TERMINAL = "script -qe /dev/null -c"
STARTING = re.compile(r"starting .*pid=(\d+)")


@pytest.fixture(scope="session")
def runtime(clone: Shell) -> Shell:
    """The clone with what the service needs."""
    clone.follow(line("README.md", "make setup"))
    return clone


@pytest.fixture(scope="session")
def developed(machine: Machine, runtime: Shell) -> Shell:
    """The clone with all of its tools, on the machine's own network."""
    runtime.follow(line(CONTRIBUTING, "make dev"))
    return Shell(machine, folder=runtime.folder)


@pytest.fixture(scope="session")
def benched(machine: Machine, developed: Shell, runtime: Shell) -> Shell:
    """The clone with what `make bench` installs."""
    runtime.do("make .venv-bench/stamp")
    return developed


def test_the_demo_shows_what_it_promises(developed: Shell) -> None:
    assert "Promised and kept" in developed.follow(line("README.md", "make demo"))


def test_the_quick_checks_pass(developed: Shell) -> None:
    assert "Success: no issues found" in developed.follow(line(CONTRIBUTING, "make quick"))


@pytest.mark.parametrize("command", PYTEST, ids=lambda it: it.text)
def test_some_tests_are_run(command: Command, developed: Shell) -> None:
    assert " passed" in developed.follow(command)


def test_the_drills_lose_nothing(developed: Shell) -> None:
    developed.follow(line("docs/delivery_guarantees.md", "make drill"))
    developed.do('export PATH="$PWD/.venv/bin:$PATH"')
    developed.follow(line("docs/delivery_guarantees.md", "nexus drill"))


def test_the_benchmarks_run(developed: Shell, benched: Shell) -> None:
    # To the end, whatever it measures here: 2 is how make tells of a goal that was missed.
    assert "of the ideal" in developed.follow(line(BENCHMARKS, "make bench-smoke"), codes=(0, 2))
    assert "--rounds" in benched.follow(
        line(BENCHMARKS, ".venv-bench/bin/python -m benchmarks.lat")
    )
    benched.follow(line(BENCHMARKS, ".venv-bench/bin/python -m benchmarks --draw"))


def test_functions_of_a_service_are_timed(benched: Shell) -> None:
    benched.do(f"cat > service.toml <<'EOF'\n{CONFIG}EOF")
    command = line(BENCHMARKS, ".venv-bench/bin/python -m cProfile")
    with benched.watch(command, "ready", put={"FILE": "service.toml"}) as (profiled, said):
        started = STARTING.search(said)
        assert started is not None
        benched.do(f"kill {started[1]}")
        profiled.communicate(timeout=PATIENCE)
    assert "function calls" in benched.do("echo stats 1 | python3 -m pstats /tmp/nexus.prof")


def test_a_service_is_sampled(benched: Shell) -> None:
    command = line(BENCHMARKS, "perf record")
    tried = benched.machine.run("perf record -q -o /dev/null -- true")
    if tried.code != 0:
        cannot(command, tried.text)
        pytest.skip(f"perf cannot be used: {tried.text}")
    benched.do(f"cat > service.toml <<'EOF'\n{CONFIG}EOF")
    with benched.machine.begin(
        f"cd {benched.folder} && exec .venv/bin/nexus start --config service.toml"
    ) as service:
        assert service.stdout is not None
        pid = next(found[1] for it in service.stdout if (found := STARTING.search(it)))
        # It needs a terminal; else perf would write its samples there. What writes to `head` ends
        # by SIGPIPE.
        said = benched.follow(command, put={"PID": pid}, within=TERMINAL, codes=(0, 141))
        assert "Samples: " in said
