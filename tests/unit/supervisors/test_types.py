"""Wrong requests, replies, arguments of tasks, and results are errors before the program runs."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

MYPY = ["-m", "mypy", "--strict", str(HERE / "actor_types.py"), str(HERE / "task_types.py")]
PYRIGHT = ["-m", "pyright", "-p", str(HERE / "pyright_types.json")]


@pytest.mark.parametrize("checker", [MYPY, PYRIGHT], ids=["mypy", "pyright"])
def test_the_type_checkers_accept_and_refuse_what_they_should(checker: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *checker], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
