"""The `nexus` command as a user runs it: as processes, with a folder of their own."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

import psutil
import pytest

from nexus_actors.cli import report
from nexus_actors.operations import control_client
from tests.sql import Client
from tests.zygote import Child, Zygote

ROOT = Path(__file__).resolve().parents[2]
NEXUS = Path(sys.executable).with_name("nexus")
LIMIT = 120.0
"""Seconds for anything to happen; long, since the machine may be busy, and hardly ever used up."""
MARKER = "NEXUS_ACCEPTANCE_TEST"
READ_LATE = {"COLUMNS", "NEXUS_FAILPOINT", "NOTIFY_SOCKET", "PGSSLMODE", "WATCHDOG_USEC"}
"""Variables that are read when a command runs, and not when a module is imported."""
T = TypeVar("T")
_client = Client()


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """Look again and again until there is something; fail if there is nothing in time."""
    deadline = time.monotonic() + LIMIT
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.02)


class Service:
    """A running `nexus start`."""

    def __init__(self, nexus: "Nexus", process: Child | subprocess.Popen[bytes], log: Path) -> None:
        self._nexus = nexus
        self._log = log
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_ready(self) -> None:
        """Until the control socket answers."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the service has ended:\n{self.log}"
            try:
                return bool(self.status())
            except control_client.ControlError:
                return False

        wait_for(ready, "the service")

    def status(self) -> dict[str, Any]:
        """As `nexus status --json` prints it, without the cost of a process."""
        answer = control_client.ask(self._nexus.data_dir, "status")
        assert isinstance(answer, dict)
        return answer

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(LIMIT)


class Nexus:
    """One user: a folder, a config file, an environment without anybody else's settings."""

    def __init__(self, folder: Path, mark: str, zygote: Zygote) -> None:
        self.folder = folder
        self._zygote = zygote
        self._strangers = frozenset(psutil.pids())
        self.data_dir = folder / "data"
        self.config = folder / "nexus.toml"
        (folder / "tmp").mkdir()
        foreign = ("NEXUS_", "PG")
        keys = {"SHARED_QUEUE_DB_URL", "DATABASE_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
        keys |= {"GEMINI_API_KEY", "GROQ_API_KEY", "DATABASE_URL_FILE", "CREDENTIALS_DIRECTORY"}
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(foreign) and name not in keys
        }
        self.environ |= {
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(ROOT),
            "NEXUS_CONFIG": str(self.config),
            MARKER: mark,
        }
        self._usual = dict(self.environ)
        self._services: list[Service] = []
        self.configure()

    def configure(self, toml: str = "", *, url: str = "", **service: object) -> None:
        """Write the config file."""
        settings = {"data_dir": str(self.data_dir), **service}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        text = "\n".join(["[service]", *lines, "[database]", f"url = {json.dumps(url)}", toml])
        self.config.write_text(text)

    def run(
        self, *arguments: str, stdin: str | bytes = b"", environ: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin.encode() if isinstance(stdin, str) else stdin)
            given.seek(0)
            process = self.begin(arguments, {**self.environ, **(environ or {})}, given, out, err)
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            texts = []
            for it in (out, err):
                it.seek(0)
                texts.append(it.read().decode())
        return subprocess.CompletedProcess(arguments, code, *texts)

    def begin(
        self, words: Sequence[str], environ: dict[str, str], *streams: IO[bytes]
    ) -> Child | subprocess.Popen[bytes]:
        """A command in a session of its own. If anything but the variables in `READ_LATE` differs
        from the usual ones, it has an interpreter of its own."""
        said = {name for name, _ in environ.items() ^ self._usual.items()}
        if said <= READ_LATE:
            return self._zygote.start(words, environ=environ, folder=self.folder, streams=streams)
        given, out, err = streams
        return subprocess.Popen(
            [NEXUS, *words],
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=self.folder,
            env=environ,
            start_new_session=True,
        )

    def json(self, *arguments: str) -> Any:
        """The JSON document that a command prints."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> Service:
        """A service in the background; see `Service.wait_ready`."""
        log = self.folder / f"service-{len(self._services)}.log"
        service = Service(self, self.spawn("start", *arguments, output=log), log)
        self._services.append(service)
        return service

    def spawn(self, *arguments: str, output: Path) -> Child | subprocess.Popen[bytes]:
        """Any command in the background."""
        with output.open("wb") as file, Path(os.devnull).open("rb") as nothing:
            return self.begin(arguments, self.environ, nothing, file, file)

    def end(self) -> None:
        """Stop what a test has left running; it may have failed in the middle."""
        for service in self._services:
            if service.process.poll() is None:
                service.process.terminate()
        for service in self._services:
            try:
                service.wait()
            except subprocess.TimeoutExpired:
                service.process.kill()
                service.process.wait()

    def wait_all_gone(self) -> None:
        """No process of this user's commands lives, or will for more than a moment.

        A moment, because an embedded server whose owner was killed has yet to see it, and because
        its guard may be in the middle of a short sleep.
        """
        wait_for(lambda: not self._processes(), f"the end of {self._processes()}")

    def kill_left_over(self) -> None:
        for pid, _ in self._processes():
            os.kill(pid, signal.SIGKILL)

    def _processes(self) -> list[tuple[int, str]]:
        found = []
        for pid in set(psutil.pids()) - self._strangers:
            try:
                process = psutil.Process(pid)
                command = " ".join(process.cmdline())
                # PostgreSQL overwrites its environment, but names its folder.
                ours = (
                    str(self.folder) in command
                    or Path(process.cwd()).is_relative_to(self.folder)
                    or process.environ().get(MARKER) == self.environ[MARKER]
                )
                if ours and process.pid != os.getpid() and process.status() != "zombie":
                    found.append((process.pid, command))
            except psutil.Error:
                continue
        return found


class Inside:
    """Runs a user's commands in this process: quicker than as so many processes. The fixture
    `inside` makes it."""

    def __init__(
        self, nexus: Nexus, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.nexus = nexus
        self._monkeypatch = monkeypatch
        self._capture = capture
        for name in set(os.environ) - set(nexus.environ):
            monkeypatch.delenv(name)
        for name in ("HOME", "NEXUS_CONFIG"):
            monkeypatch.setenv(name, nexus.environ[name])
        monkeypatch.chdir(nexus.folder)
        # What a process sets once for its own end.
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        monkeypatch.setattr(logging, "lastResort", logging.StreamHandler())

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """As `Nexus.run`."""
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        self._capture.readouterr()
        code = report.run(words)
        said = self._capture.readouterr()
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    def json(self, *words: str) -> Any:
        """As `Nexus.json`."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def query(url: str, sql: str, *arguments: object) -> list[dict[str, Any]]:
    """Rows of the database, as any SQL client sees them."""
    return _client.query(url, sql, *arguments)


def value(url: str, sql: str, *arguments: object) -> Any:
    """The first column of the first row."""
    return next(iter(query(url, sql, *arguments)[0].values()))


def send(url: str, count: int, *, first: int = 1) -> list[str]:
    """Put requests into the queue with plain SQL; their ids."""
    ids = [f"request-{number:03}" for number in range(first, first + count)]
    messages = [
        {
            "request_id": request_id,
            "complexity": "simple",
            "messages": [{"role": "user", "content": f"hello from {request_id}"}],
        }
        for request_id in ids
    ]
    query(
        url,
        "SELECT pgmq.send('ai_requests', message::jsonb) FROM unnest($1::text[]) AS message",
        [json.dumps(message) for message in messages],
    )
    return ids


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line that a refused command says."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("nexus: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
