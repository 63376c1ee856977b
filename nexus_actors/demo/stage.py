"""The demo's service: a real `nexus start` in a temporary folder. Both are gone at the end."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from nexus_actors.cli.report import CommandError
from nexus_actors.demo.examples import ROOT
from nexus_actors.operations import control, control_client
from nexus_actors.settings import Settings, SettingsErrors, load_settings

START_TIMEOUT = 60.0
"""Seconds until the service must respond, including the creation of a database cluster."""
STOP_TIMEOUT = 30.0
LOG_LINES = 15
"""Lines of the service's log that are shown if it exits unexpectedly."""
# Added to the examples' config if the dashboard is wanted.
_DASHBOARD = """
[admin]
listen = "127.0.0.1:0"

[dashboard]
loopback = "operate"
"""
_LISTENS = re.compile(r"the admin server listens.*'127\.0\.0\.1', (\d+)")
# These variables concern the user's own service, which the demo must not touch.
_FOREIGN = ("SHARED_QUEUE_DB_URL", "DATABASE_URL", "NEXUS_")


@dataclass(slots=True)
class Stage:
    """The running service."""

    settings: Settings
    process: trio.Process
    log: Path

    async def ask(self, command: str) -> Any:
        """The control socket's answer to a command."""
        return await control.ask(self.settings.service.data_dir, command)

    async def wait_ready(self) -> None:
        """Wait until the service responds. Its control socket is the last thing that it starts."""
        with trio.move_on_after(START_TIMEOUT):
            while self.process.poll() is None:
                try:
                    await self.ask("status")
                except control_client.ControlError:
                    await trio.sleep(0.02)
                else:
                    return
        raise CommandError("the service did not start; the end of its log:", details=self.log_end())

    async def stop(self) -> int | None:
        """Stop it as a service manager does. Returns the exit code, or None if it does not exit."""
        self.process.terminate()
        with trio.move_on_after(STOP_TIMEOUT):
            return await self.process.wait()
        return None

    def dashboard(self) -> str | None:
        """The dashboard's URL from the service's log; None if there is none."""
        found = _LISTENS.search(self.log.read_text(errors="replace"))
        return None if found is None else f"http://127.0.0.1:{found[1]}/"

    def command(self, *words: str) -> str:
        """A shell command about this service. The shell's own service must not be meant."""
        own = sorted(it for it in os.environ if it.startswith(_FOREIGN))
        unset = [word for name in own for word in ("-u", name)]
        nexus = Path(sys.executable).with_name("nexus")
        return shlex.join(["env", *unset, f"NEXUS_CONFIG={self.settings.file}", str(nexus), *words])

    def log_end(self) -> list[str]:
        """The last lines of its log."""
        return self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]


@asynccontextmanager
async def open_stage(config: str, *, dashboard: bool = False) -> AsyncIterator[Stage]:
    """Start the service in a new folder, on request with a dashboard for local users. However the
    block ends, the process and the folder are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-demo-", dir=_short_folder()))
    try:
        file = folder / "demo.toml"
        service = f'[service]\nname = "demo"\ndata_dir = "{folder / "data"}"\n'
        file.write_text(f"{service}{_DASHBOARD if dashboard else ''}\n{config}")
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
        }
        settings = load_settings(file, environ)
        if isinstance(settings, SettingsErrors):
            raise CommandError("the demo's config is wrong:", details=str(settings).splitlines())
        stage = await _start(settings, file, folder / "service.log", environ)
        try:
            yield stage
        finally:
            with trio.CancelScope(shield=True):
                await _end(stage.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str | None:
    """A folder whose path is short enough for the sockets in it; None: the default folder."""
    folder = tempfile.gettempdir()
    return folder if len(folder) <= 32 or not os.access("/tmp", os.W_OK) else "/tmp"  # noqa: S108


async def _start(settings: Settings, file: Path, log: Path, environ: dict[str, str]) -> Stage:
    with log.open("wb") as output:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "nexus_actors.cli", "start", "--config", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environ,
            # Ctrl-C goes to the demo, which stops the service in order.
            start_new_session=True,
        )
    return Stage(settings, process, log)


async def _end(process: trio.Process) -> None:
    """Stop the process if it still runs: with SIGTERM, then with SIGKILL."""
    if process.poll() is not None:
        return
    process.terminate()
    with trio.move_on_after(STOP_TIMEOUT):
        await process.wait()
        return
    process.kill()
    await process.wait()
