"""A service with its dashboard, a process of its own: for the browser tests and the pictures."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.browser.seed import run_sql

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 60.0
"""Seconds that anything may take."""
FOREIGN: Final = ("SHARED_QUEUE_DB_URL", "DATABASE_URL", "NEXUS_", "PG", "OPENAI_", "ANTHROPIC_")
TOKENS: Final = {
    "olga": ("operate", "olga-may-operate-0001"),
    "rob": ("read", "rob-may-read-000001"),
}
"""Who may log in: role and token."""
PROVIDERS: Final = """
[providers.groq]
kind = "echo"
latency = 0.2
pool_size = 16
[providers.gemini]
kind = "echo"
latency = 0.5
pool_size = 16
[providers.openai]
kind = "echo"
latency = 1.0
pool_size = 8
[providers.anthropic]
kind = "echo"
latency = 600.0
pool_size = 4
[providers.broken]
kind = "echo"
failure_rate = 1.0
pool_size = 2
max_retries = 0
[[routes]]
complexity = "simple"
task_type = "*"
models = ["groq/openai/gpt-oss-120b", "gemini/gemini-3-flash"]
[[routes]]
complexity = "medium"
task_type = "broken"
models = ["broken/glass"]
[[routes]]
complexity = "medium"
task_type = "*"
models = ["openai/gpt-5-mini"]
[[routes]]
complexity = "complex"
task_type = "*"
models = ["anthropic/claude-sonnet-5-5"]
"""
"""Imitations with the names of real ones: one answers late enough to be seen at work, one fails."""


@dataclass(slots=True)
class Site:
    """It runs."""

    base: str
    """The dashboard's address, without a slash at the end."""
    url: str
    """Of the database."""
    process: subprocess.Popen[bytes]
    log: Path

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Of the database."""
        return run_sql(self.url, query, *arguments)

    def value(self, query: str, *arguments: object) -> Any:
        """The first column of the first row."""
        return next(iter(self.rows(query, *arguments)[0].values()))

    def until(self, query: str, *arguments: object) -> None:
        """Wait until the query's value is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.value(query, *arguments):
            assert time.monotonic() < deadline, f"waited too long for {query} {arguments}"
            time.sleep(0.05)

    def send(self, request_id: str, **fields: object) -> None:
        """A request."""
        message = {
            "request_id": request_id,
            "agent_id": "agent-00",
            "complexity": "simple",
            "messages": [{"role": "user", "content": "hello"}],
            **fields,
        }
        self.rows("SELECT pgmq.send('ai_requests', $1::jsonb)", json.dumps(message))


@contextmanager
def running_site(
    folder: Path, url: str, *, toml: str = PROVIDERS, tokens: bool = True, messages: bool = True
) -> Iterator[Site]:
    """The service on this database, until the block ends. Without `tokens` whoever connects from
    this machine may operate."""
    config = folder / "nexus.toml"
    config.write_text(_config(folder, url, tokens, messages) + toml)
    log = folder / "service.log"
    environ = {name: it for name, it in os.environ.items() if not name.startswith(FOREIGN)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "nexus_actors.cli", "start", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environ,
            start_new_session=True,
        )
    try:
        yield Site(_address(process, log), url, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(folder: Path, url: str, tokens: bool, messages: bool) -> str:
    lines = [
        "[service]",
        'name = "nexus"',
        f'data_dir = "{folder / "data"}"',
        "drain_timeout = 0.2",
        "[database]",
        f'url = "{url}"',
        "[admin]",
        'listen = "127.0.0.1:0"',
        "[dashboard]",
        f"show_messages = {str(messages).lower()}",
        'loopback = "operate"',
    ]
    for name, (role, secret) in TOKENS.items() if tokens else ():
        file = folder / f"token-{name}"
        file.write_text(secret)
        file.chmod(0o600)
        lines += [f"[dashboard.tokens.{name}]", f'role = "{role}"', f'token_file = "{file}"']
    return "\n".join(lines) + "\n"


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it is ready."""
    deadline = time.monotonic() + PATIENCE
    while True:
        said = log.read_text(errors="replace")
        found = re.search(r"the admin server listens.*?127\.0\.0\.1['\"], (\d+)", said)
        if found and re.search(r"\] ready\b", said):
            return f"http://127.0.0.1:{found[1]}"
        assert process.poll() is None, f"the service has ended:\n{said[-3000:]}"
        assert time.monotonic() < deadline, f"the service did not start:\n{said[-3000:]}"
        time.sleep(0.05)
