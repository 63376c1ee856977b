"""Each example runs as its readers run it, and prints what it is to show."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "supervisors" / "examples"

PRINTS = {
    "counter": """\
add 2: 2
add 0: 42
divide by 0: ZeroDivisionError('division by zero')
after the restart: 1
""",
    "chat_room": """\
bob has read:
  <room> cid joined
  <ann> hello
  <bob> bye
cid has read:
  <ann> hello
  <bob> bye
  <room> bob left
  <cid> crash
ann has read:
  <room> bob joined
  <room> cid joined
  <ann> hello
  <bob> bye
  <room> bob left
  <cid> crash
  <room> cid vanished
""",
    "crawler": """\
/ has 3 links
/news has 3 links
/about has 1 links
/broken failed: Crashed(exception=LookupError('HTTP/1.0 404 Not Found'))
/news/1 has 1 links
/news/2 has 0 links
""",
    "worker_pool": """\
2 -> 4
3 -> 9
7 -> 49
13 -> given up after 2 attempts
20 -> 400
""",
    "socket_server": """\
good sends 2: 2
connection ends: Crashed
bad sends nonsense: hung up
good sends 40: 42
connection ends: Shutdown
""",
}


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_prints_what_it_shows(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-Werror", f"{name}.py"],
        cwd=FOLDER,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PRINTS[name]


def test_every_example_is_run_and_short() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == PRINTS.keys()
    for path in FOLDER.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120, path.name
