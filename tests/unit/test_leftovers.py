"""What killed runs of the tests leave is removed, and what a run uses is not."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import own_folder, sweep
from tests.zygote import ROOT

HOLDS = """
import sys, time
from pathlib import Path
from tests.postgres import own_folder

with own_folder(Path(sys.argv[1])) as folder:
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
        sweep(tmp_path)
        assert not folder.exists()


def test_the_folder_of_a_living_keeper_stays(tmp_path: Path) -> None:
    with keeper(tmp_path) as (_, folder):
        sweep(tmp_path)
        assert (folder / "postgres").is_dir()


def test_what_is_no_keepers_stays(tmp_path: Path) -> None:
    (tmp_path / "nexus-tests-by-hand").mkdir()
    (tmp_path / "nexus-keeper-file").touch()
    sweep(tmp_path)
    assert len([*tmp_path.iterdir()]) == 2


def test_a_keepers_end_leaves_nothing(tmp_path: Path) -> None:
    with own_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
    assert [*tmp_path.iterdir()] == []
