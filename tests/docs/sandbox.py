"""A service of ours that the commands of all pages run against.

It has the demo's providers and requests, and an imitation (`echo`) of each provider that the pages
name, so no key, and nothing outside this machine. `tests/docs/user.py` is who runs the commands.
"""

import json
import os
import re
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from nexus_actors.operations import control, control_client
from tests.docs.pages import ROOT
from tests.sql import Client
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
    """The running service and its folder."""

    folder: Path
    url: str
    zygote: Zygote
    environ: dict[str, str] = field(default_factory=dict)
    node: str = ""
    _service: Child | None = None
    _client: Client = field(default_factory=Client)

    @property
    def config(self) -> Path:
        """The service's config file."""
        # Not where one is looked for: a page may write its own there.
        return self.folder / "sandbox.toml"

    @property
    def restored(self) -> str:
        """The database that a dump is restored to: the server is that of other tests, too."""
        return f"{urlsplit(self.url).path[1:]}_restored"

    def start(
        self, words: Sequence[str] = ("start",), environ: Mapping[str, str] | None = None
    ) -> Said:
        """`nexus start`, in place of the service that runs; what it logs until it answers."""
        self.stop()
        log = self.folder / "service.log"
        with log.open("wb") as out, Path(os.devnull).open("rb") as nothing:
            service = self._service = self.zygote.start(
                words,
                environ=environ or self.environ,
                folder=self.folder,
                streams=[nothing, out, out],
            )
        wait_for(lambda: service.poll() is not None or self._answers(), "the service")
        return Said(service.returncode or 0, log.read_text())

    def _answers(self) -> bool:
        try:
            return bool(trio.run(control.ask, self.folder / "data", "status"))
        except control_client.ControlError:
            return False

    def close(self) -> None:
        """Leave nothing."""
        try:
            self.stop()
            self.query(f"DROP DATABASE IF EXISTS {self.restored} WITH (FORCE)")
        finally:
            self._client.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> int:
        """Have the service end, if it has not; its exit code."""
        service, self._service = self._service, None
        if service is None:
            return 0
        service.send_signal(signal.SIGTERM)
        try:
            return service.wait(PATIENCE)
        finally:
            service.kill()

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
        """Have the service run, and nothing paused, scaled or drained any more."""
        if self._service is None:
            self.start()
        self.query("WITH gone AS (DELETE FROM nexus.control RETURNING 1) SELECT count(*) FROM gone")

    def query(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row."""
        rows = self._client.query(self.url, sql, *arguments)
        return next(iter(rows[0].values())) if rows else None

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
    sandbox = Sandbox(folder, url, zygote)
    try:
        _furnish(sandbox)
        started = sandbox.start()
        assert started.code == 0, f"the service has ended:\n{started.text}"
        sandbox.node = sandbox.query("SELECT name FROM nexus.nodes LIMIT 1")
        _send_examples(sandbox)
        yield sandbox
    finally:
        sandbox.close()


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


def _send_examples(sandbox: Sandbox) -> None:
    lines = (EXAMPLES / "requests.jsonl").read_text().splitlines()
    ids = {it.get("request_id") or it["request"]["request_id"] for it in map(json.loads, lines)}
    for line in lines:
        sandbox.query("SELECT pgmq.send('ai_requests', $1::text::jsonb)", line)
    stored = "SELECT count(*) >= $1 FROM job_results"
    wait_for(lambda: sandbox.query(stored, len(ids)), "the demo's requests")


def new_id() -> str:
    """An id that nobody has used."""
    return str(uuid.uuid4())
