"""`nexus remote` as an operator uses it, in a service that runs."""

import json
import os
import pty
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import trio

from nexus_actors.operations.control import ask
from nexus_actors.operations.control_client import ControlError
from tests.acceptance.nexus import NEXUS
from tests.service import PATIENCE, running_service


async def nexus(*arguments: str, config: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    done = await trio.run_process(
        [NEXUS, "remote", "--config", config, *arguments],
        stdin=stdin.encode(),
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


class Terminal:
    """One at which `nexus remote` runs."""

    def __init__(self, config: Path, home: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        self.said = ""
        environ = {**os.environ, "HOME": str(home), "TERM": "dumb"}
        environ.pop("XDG_STATE_HOME", None)
        command = [NEXUS, "remote", "--config", config]
        self.process = subprocess.Popen(
            # Who leads a session and opens a terminal has it for its own: Ctrl-C goes there.
            ["/bin/sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(self._theirs), *command],
            env=environ,
            start_new_session=True,
        )

    async def type(self, text: str, answer: str) -> None:
        """Type, and wait for what comes then."""
        os.write(self._ours, text.encode())
        before = len(self.said)
        with trio.fail_after(PATIENCE):
            while answer not in self.said[before:]:
                await trio.lowlevel.wait_readable(self._ours)
                self.said += os.read(self._ours, 4096).decode()

    async def left(self) -> int:
        """Its exit code."""
        with trio.fail_after(PATIENCE):
            while self.process.poll() is None:
                await trio.sleep(0.01)
        return self.process.returncode

    def close(self) -> None:
        """Nothing of it is left, whatever came of the test."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


async def test_an_operator_looks_into_a_running_service(database_url: str, tmp_path: Path) -> None:
    config = tmp_path / "nexus.toml"
    config.write_text(f"[service]\ndata_dir = {json.dumps(str(tmp_path / 'data'))}\n")
    async with running_service(database_url, tmp_path / "data"):
        done = await nexus("-e", "await tree()", config=config)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Nexus.Supervisor  Supervisor, pid")
        assert "QueueConsumer" in done.stdout

        source = (
            "state = await get_state('Pruner')\nfor name in state: print(name)\nsettings.database"
        )
        done = await nexus(config=config, stdin=source)
        assert done.returncode == 0, done.stderr
        assert "_settings\n" in done.stdout
        assert "url=SecretStr('**********')" in done.stdout

        done = await nexus("-e", "print('\\x1b[2J'); 1 / 0", "--json", config=config)
        assert done.returncode == 1
        answer = json.loads(done.stdout)
        assert (answer["ended"], answer["out"]) == ("failed", "\x1b[2J\n")
        assert answer["err"].endswith("ZeroDivisionError: division by zero\n")

        with closing(Terminal(config, tmp_path)) as terminal:
            await terminal.type("", ">>> ")
            await terminal.type("async def f():\n", "... ")
            await terminal.type("    print('be'+'gun'); await trio.sleep_forever()\n", "... ")
            await terminal.type("\n", ">>> ")
            await terminal.type("await f()\n", "begun")
            await terminal.type("\x03", ">>> ")
            await terminal.type("len(in_w\t)\n", "\r\n0\r\n>>> ")  # it reads again by then
            await terminal.type("\x04", "\n")
            assert await terminal.left() == 0
        history = tmp_path / ".local/state/nexus/remote_history"
        assert history.stat().st_mode & 0o777 == 0o600
        assert "await f()" in history.read_text()


async def test_a_config_turns_it_off(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path, security={"remote": False}):
        with pytest.raises(ControlError, match=r"\[security\] remote = false"):
            await ask(tmp_path, "remote")
