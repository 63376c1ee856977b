"""The drill's services: real processes, killed and restarted as a service manager would."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from nexus_actors.cli.report import CommandError
from nexus_actors.drill.provider import PRICE
from nexus_actors.operations import control, control_client

START_TIMEOUT = 60.0
"""Seconds within which a service must respond."""
STOP_TIMEOUT = 30.0
TOKENS_A_CALL = 150
"""Tokens per minute for each call per minute: about the estimate for one call."""
LOOK = 0.01
"""Seconds between checks of a starting service."""
_CONFIG = """
[service]
name = "drill"
data_dir = {data_dir}
log_format = "json"
[database]
url = {url}
[queue]
visibility_timeout = 10
poll_interval = 0.2
max_attempts = 100
[providers.drill]
kind = "openai_compatible"
base_url = {base_url}
pool_size = 32
requests_per_minute = {per_minute}
tokens_per_minute = {tokens_per_minute}
timeout = 2.0
max_retries = 20
breaker_failures = 10000
[providers.drill.models.model]
input_price = {price}
output_price = {price}
[budgets.drill]
dollars = {dollars}
max_output_tokens = 100
[[routes]]
models = ["drill/model"]
"""
# These variables concern the user's own service, which the drill must not touch.
_FOREIGN = ("SHARED_QUEUE_DB_URL", "DATABASE_URL", "NEXUS_", "PG")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that all services share."""

    per_minute: float
    """Calls per minute."""
    dollars: float
    """The budget per day, in US dollars."""


class Service:
    """One `nexus start` with its own `data_dir`."""

    def __init__(self, folder: Path, url: str, base_url: str, limits: Limits) -> None:
        self._data_dir = folder / "data"
        self._config = folder / "nexus.toml"
        self._log = folder / "service.log"
        folder.mkdir()
        self._config.write_text(
            _CONFIG.format(
                data_dir=json.dumps(str(self._data_dir)),
                url=json.dumps(url),
                base_url=json.dumps(base_url),
                per_minute=limits.per_minute,
                tokens_per_minute=limits.per_minute * TOKENS_A_CALL,
                price=PRICE,
                dollars=limits.dollars,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        environ = {name: it for name, it in os.environ.items() if not name.startswith(_FOREIGN)}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "nexus_actors.cli", "start", "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ,
                start_new_session=True,  # Ctrl-C goes to the drill, which ends the services
            )

    async def until_ready(self) -> None:
        """Wait until it responds. If it exits, for example because it has no database, start it
        again, as a service manager does."""
        with trio.move_on_after(START_TIMEOUT):
            while True:
                if self._process is None or self._process.poll() is not None:
                    self.start()
                try:
                    await control.ask(self._data_dir, "status")
                except control_client.ControlError:
                    await trio.sleep(LOOK)
                else:
                    return
        end = self.log_end().split("\n")
        raise CommandError("a service does not start; the end of its log:", details=end)

    async def kill(self) -> float:
        """SIGKILL and restart it. Returns the seconds until it responds."""
        began = trio.current_time()
        if self._process is not None:
            self._process.kill()
            await trio.to_thread.run_sync(self._process.wait)
        self.start()
        await self.until_ready()
        return trio.current_time() - began

    async def stop(self) -> int | None:
        """Drain and stop it. Returns the exit code, or None if it did not exit in time."""
        process = self._process
        if process is None:
            return None
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_TIMEOUT):
            while (code := process.poll()) is None:  # noqa: ASYNC110 - a process, not an event
                await trio.sleep(LOOK)
            return code
        return None

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def log_end(self) -> str:
        """The last lines of its log."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-15:])


@asynccontextmanager
async def open_fleet(
    folder: Path, count: int, url: str, base_url: str, limits: Limits
) -> AsyncIterator[list[Service]]:
    """Run this many services on one database. All have exited when the block ends."""
    services = [
        Service(folder / f"service-{n}", url, base_url, limits) for n in range(1, count + 1)
    ]
    try:
        for service in services:
            service.start()
        for service in services:
            await service.until_ready()
        yield services
    finally:
        for service in services:
            service.end()
