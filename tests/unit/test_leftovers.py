"""What killed runs of the tests leave is removed, and what a run uses is not."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.leftovers import ended_with_input, own_folder, sweep
from tests.zygote import ROOT

NAME = "nexus-keeper-"
HOLDS = """
import sys, time
from pathlib import Path
from tests.leftovers import own_folder

with own_folder(Path(sys.argv[1]), "nexus-keeper-") as folder:
    (folder / "postgres").mkdir()
    print(folder, flush=True)
    time.sleep(600)
"""


@contextmanager
def keeper(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a folder of its own."""
    words = [sys.executable, "-c", HOLDS, str(place)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_the_folder_of_a_killed_keeper_is_removed(tmp_path: Path) -> None:
    with keeper(tmp_path) as (process, folder):
        process.kill()
        process.wait()
        assert folder.is_dir()
        sweep(tmp_path, NAME)
        assert not folder.exists()


def test_the_folder_of_a_living_keeper_stays(tmp_path: Path) -> None:
    with keeper(tmp_path) as (_, folder):
        sweep(tmp_path, NAME)
        assert (folder / "postgres").is_dir()


def test_what_is_no_keepers_stays(tmp_path: Path) -> None:
    (tmp_path / "nexus-tests-by-hand").mkdir()
    (tmp_path / "nexus-keeper-file").touch()
    sweep(tmp_path, NAME)
    assert len([*tmp_path.iterdir()]) == 2


def test_a_keepers_end_leaves_nothing(tmp_path: Path) -> None:
    with own_folder(tmp_path, NAME) as folder:
        assert folder.parent == tmp_path
    assert [*tmp_path.iterdir()] == []


def test_what_ends_with_its_input_has_ended_also_after_an_interrupt() -> None:
    # It takes longer than Popen waits after one.
    words = ["sh", "-c", "cat; sleep 1"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True)
    with pytest.raises(KeyboardInterrupt), ended_with_input(process):
        raise KeyboardInterrupt
    assert process.returncode == 0
