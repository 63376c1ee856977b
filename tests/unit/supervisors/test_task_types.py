"""Wrong arguments and results of tasks and agents are errors before the program runs."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def test_the_type_checker_accepts_and_refuses_what_it_should() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", HERE / "task_types.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
