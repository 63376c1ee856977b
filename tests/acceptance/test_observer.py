"""`nexus observer` in a terminal, as an operator has it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.nexus import NEXUS, Nexus, wait_for

CONFIG = """
    [providers.echo]
    kind = "echo"
    pool_size = 2
    [[routes]]
    complexity = "*"
    task_type = "*"
    models = ["echo/echo"]
    """


class Terminal:
    """A terminal of 80 columns and 24 lines, with a shell in it."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._socket = folder / "tmux"
        self._environ = {**environ, "PS1": "$ ", "TERM": "xterm"}
        self._run("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh")

    def _run(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), *words]
        done = subprocess.run(
            command,
            env=self._environ,
            cwd=self._folder,  # also the shell's: what it writes is the test's own
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def until(self, pattern: str) -> str:
        """Wait for it on the screen; the screen."""

        def look() -> str | None:
            shown = self._run("capture-pane", "-p")
            return shown if re.search(pattern, shown) else None

        return wait_for(look, pattern)

    @property
    def mode(self) -> str:
        """Whether a program has the screen to itself, and the mouse."""
        return self._run(
            "display", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"
        ).strip()

    def end(self) -> None:
        self._run("kill-server")


@pytest.fixture
def terminal(nexus: Nexus) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: the observer is not run in a terminal")
    it = Terminal(nexus.folder, nexus.environ)
    yield it
    it.end()


def test_the_tree_is_seen_an_actor_is_restarted_and_the_terminal_is_left_as_it_was(
    nexus: Nexus, database_url: str, terminal: Terminal
) -> None:
    nexus.configure(CONFIG, url=database_url)
    without = nexus.run("observer")
    assert without.returncode == 2
    assert "nexus observer needs a terminal" in without.stderr

    terminal.press("stty -a > before", "Enter")
    terminal.press(f"{NEXUS} observer; echo ended with $?", "Enter")
    terminal.until("no service is running")
    assert terminal.mode.startswith("1 1")
    nexus.start().wait_ready()
    terminal.until(r"\bready\b")  # by itself

    terminal.press("2")
    terminal.until("Pipeline.Supervisor")
    terminal.press("/")
    terminal.until("filter: words")
    terminal.press("Worker.1", "Enter")
    terminal.until(r"filter: Worker\.1  ")
    terminal.press("K")
    terminal.until(r"CLI  nexus restart echo\.Worker\.1 --now")
    terminal.press("y")
    terminal.until(r"echo\.Worker\.1 is started anew")
    terminal.until(r"echo\.Worker\.1 +\w+ +1 ")
    terminal.press("q")
    terminal.until("ended with 0")
    assert terminal.mode == "0 0 1"
    terminal.press("clear; stty -a | diff - before && echo as before", "Enter")
    terminal.until("(?m)^as before")
