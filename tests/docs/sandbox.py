"""A service of ours that the commands of all pages run against, as a user runs them.

It has the demo's providers and requests, and an imitation (`echo`) of each provider that the pages
name, so no key, and nothing outside this machine. What a page names as an example (a host, an id, a
file) is put as what is there.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import asyncpg
import trio

from nexus_actors.operations import control, control_client
from tests.docs.pages import ROOT
from tests.zygote import Child, Zygote

PATIENCE: Final = 60.0
"""Seconds for anything to happen: for machines, not for assertions."""
EXAMPLES: Final = ROOT / "config" / "examples"
NAMED: Final = ("openai", "anthropic", "gemini", "groq", "local", "echo")
"""Providers of the pages, each an echo here."""
ANSWERED: Final = "demo-04-coder"
FAILED: Final = "demo-13-malformed"
TERMINAL: Final = 120
"""Columns."""
_FOREIGN: Final = ("NEXUS_", "PG", "SHARED_QUEUE_DB_URL", "DATABASE_URL", "CREDENTIALS_DIRECTORY")
_CONFIG: Final = """
[service]
name = "nexus"
data_dir = "{folder}/data"
drain_timeout = 1.0

[admin]
listen = "127.0.0.1:0"

[dashboard]
loopback = "operate"

[budgets.everyone]
dollars = 100.0
per = "month"
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, both streams as a terminal shows them, and its exit code."""

    code: int
    text: str


@dataclass(slots=True)
class Sandbox:
    """The running service, and a user's folder beside it."""

    folder: Path
    url: str
    zygote: Zygote
    environ: dict[str, str] = field(default_factory=dict)
    node: str = ""

    @property
    def config(self) -> Path:
        """The config file of both."""
        # Not where one is looked for: a page may write its own there.
        return self.folder / "sandbox.toml"

    def nexus(self, words: Sequence[str], typed: str = "") -> Said:
        """`nexus WORDS`, with this on standard input."""
        with TemporaryFile() as given, TemporaryFile() as out:
            given.write(typed.encode())
            given.seek(0)
            child = self._start(words, given, out)
            try:
                code = child.wait(PATIENCE)
            finally:
                child.kill()
            out.seek(0)
            return Said(code, out.read().decode())

    def _start(self, words: Sequence[str], given: Any, out: Any) -> Child:
        return self.zygote.start(
            words, environ=self.environ, folder=self.folder, streams=[given, out, out]
        )

    def sent(self, request_id: str, *, fails: bool = False) -> None:
        """Have a request of this id ended, with an answer or with a dead letter."""
        ended = "SELECT count(*) > 0 FROM nexus.requests WHERE request_id = $1 AND state = $2"
        state = "failed" if fails else "done"
        if self.query(ended, request_id, state):
            return
        self.reset()  # while its page has the queue paused, nothing would end
        role = "narrator" if fails else "user"
        message = {"role": role, "content": "Say hello."}
        request = {"request_id": request_id, "complexity": "simple", "messages": [message]}
        self.query("SELECT pgmq.send('ai_requests', $1::text::jsonb)", json.dumps(request))
        wait_for(lambda: self.query(ended, request_id, state), f"the end of {request_id}")

    def reset(self) -> None:
        """Have nothing paused, scaled or drained any more."""
        self.query("WITH gone AS (DELETE FROM nexus.control RETURNING 1) SELECT count(*) FROM gone")

    def query(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row."""

        async def fetch() -> Any:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(sql, *arguments)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def here(self, text: str) -> str:
        """A page's text with the database that is here in place of its example."""
        return re.sub(r"postgres(?:ql)?://[^\s\"'`)\\]+", lambda _: self.url, text)


def wait_for(look: Callable[[], Any], what: str) -> Any:
    """Look again and again until there is something; fail if there is nothing in time."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.02)
    return found


@contextmanager
def open_sandbox(url: str, zygote: Zygote) -> Iterator[Sandbox]:
    """Start the service on this database, send it the demo's requests, and wait for their ends.
    However the block ends, service and folder are gone."""
    # Not below pytest's folder, whose name is too long for the socket's path.
    folder = Path(tempfile.mkdtemp(prefix="nexus-docs-"))
    try:
        sandbox = Sandbox(folder, url, zygote)
        _furnish(sandbox)
        log = folder / "service.log"
        with log.open("wb") as out, Path(os.devnull).open("rb") as nothing:
            service = sandbox._start(["start"], nothing, out)
        try:
            _wait_ready(sandbox, service, log)
            _send_examples(sandbox)
            yield sandbox
        finally:
            _stop(service)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _furnish(sandbox: Sandbox) -> None:
    (sandbox.folder / "tmp").mkdir()
    demo = (EXAMPLES / "demo.toml").read_text()
    echoes = "".join(f'\n[providers.{name}]\nkind = "echo"\npool_size = 4\n' for name in NAMED)
    sandbox.config.write_text(_CONFIG.format(folder=sandbox.folder) + demo + echoes)
    shutil.copy(EXAMPLES / "requests.jsonl", sandbox.folder)
    sandbox.environ = {
        name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
    } | {
        "HOME": str(sandbox.folder),
        "TMPDIR": str(sandbox.folder / "tmp"),
        "PYTHONPATH": str(ROOT),
        "NEXUS_CONFIG": str(sandbox.config),
        "DATABASE_URL": sandbox.url,
        "COLUMNS": str(TERMINAL),
        "TERM": "dumb",
    }


def _wait_ready(sandbox: Sandbox, service: Child, log: Path) -> None:
    def ready() -> bool:
        assert service.poll() is None, f"the service has ended:\n{log.read_text()}"
        try:
            return bool(trio.run(control.ask, sandbox.folder / "data", "status"))
        except control_client.ControlError:
            return False

    wait_for(ready, "the service")
    sandbox.node = sandbox.query("SELECT name FROM nexus.nodes LIMIT 1")


def _send_examples(sandbox: Sandbox) -> None:
    lines = (EXAMPLES / "requests.jsonl").read_text().splitlines()
    ids = {it.get("request_id") or it["request"]["request_id"] for it in map(json.loads, lines)}
    for line in lines:
        sandbox.query("SELECT pgmq.send('ai_requests', $1::text::jsonb)", line)
    stored = "SELECT count(*) >= $1 FROM job_results"
    wait_for(lambda: sandbox.query(stored, len(ids)), "the demo's requests")


def _stop(service: Child) -> None:
    service.send_signal(signal.SIGTERM)
    try:
        service.wait(PATIENCE)
    finally:
        service.kill()


def new_id() -> str:
    """An id that nobody has used."""
    return str(uuid.uuid4())
