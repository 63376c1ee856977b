"""The lock files agree: what the service runs with is what it is tested and measured with."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = "requirements-pip.lock"  # what installs all the others, and nothing else
OTHERS = sorted({it.name for it in ROOT.glob("requirements-*.lock")} - {PIP})


def releases(lock: str) -> dict[str, set[str]]:
    """Each package of a lock with its release, or its releases for different machines."""
    found = defaultdict(set)
    for name, release in re.findall(r"^([\w.-]+)==([\w.+!-]+)", (ROOT / lock).read_text(), re.M):
        found[name].add(release)
    return dict(found)


def test_there_are_locks_with_more_in_them() -> None:
    assert len(releases("requirements.lock")) > 50
    assert {f"requirements-{it}.lock" for it in ("dev", "bench", "differential")} <= set(OTHERS)


@pytest.mark.parametrize("name", OTHERS)
def test_a_lock_with_more_in_it_has_the_runtime_as_it_is(name: str) -> None:
    other = releases(name)
    runtime = releases("requirements.lock")
    assert {it: other.get(it) for it in runtime} == runtime


def test_what_installs_them_has_a_lock_of_its_own() -> None:
    assert set(releases(PIP)) == {"pip"}
