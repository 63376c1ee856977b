"""Who is measured beside us, each set up and started by its own command line."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import trio

from benchmarks.ground import ROOT, Ground, child
from benchmarks.peers import calls
from benchmarks.race import Load
from nexus_actors.storage.postgres.connection import fetch, open_postgres

NEWER = ROOT / ".venv-newer" / "bin"
"""What needs a newer Python; made by `make bench` where there is one."""
MESSAGES = """jsonb_build_object('messages', jsonb_build_array(jsonb_build_object(
    'role', 'user', 'content', rpad('message ' || n, $2::int, ' word'))))"""
FROM = "FROM generate_series($3::int + 1, $3::int + $1::int) AS n"


@dataclass(slots=True)
class Peer:
    """A worker of another library. `set_up` and `command` are told `{url}` and `{workers}`."""

    name: str
    package: str
    set_up: tuple[str, ...]
    command: tuple[str, ...]
    send: str
    done: str
    sdk: str = ""
    bin: Path = Path(sys.executable).parent
    _template: str = field(default="", init=False)

    def version(self) -> str | None:
        """None: not there."""
        if self.bin == Path(sys.executable).parent:
            try:
                return metadata.version(self.package)
            except metadata.PackageNotFoundError:
                return None
        ask = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]), end='')"
        command = [str(self.bin / "python"), "-c", ask, self.package]
        if not (self.bin / "python").exists():
            return None
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return done.stdout or None

    def _environ(self, url: str, load: Load) -> dict[str, str]:
        return {
            "BENCH_URL": url,
            "BENCH_SDK": self.sdk,
            "BENCH_UPSTREAM": load.upstream,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else its import asks the Internet
            "PATH": f"{self.bin}:/usr/bin:/bin",
        }

    def _filled(self, command: tuple[str, ...], url: str, load: Load) -> list[str]:
        given = [it.replace("{url}", url).replace("{workers}", str(load.workers)) for it in command]
        return [str(self.bin / given[0]), *given[1:]]

    async def template(self, ground: Ground) -> str:
        """Set up by its own command."""
        if not self._template:
            name = await ground.create()
            url, load = ground.at(name), Load("", 0, 1)
            command = self._filled(self.set_up, url, load)
            log = ground.file(f"{self.package}-setup.log")
            async with child(command, log=log, environ=self._environ(url, load)) as process:
                if await process.wait():
                    raise RuntimeError(f"{self.name} was not set up: {log.read_text()[-3000:]}")
            if self.sdk:
                async with open_postgres(url, pool_size=1, application_name="bench") as pool:
                    await pool.run(fetch, calls.TABLE)
            self._template = name
        return self._template

    @asynccontextmanager
    async def started(
        self, ground: Ground, url: str, load: Load, place: int, where: set[int]
    ) -> AsyncIterator[trio.Process]:
        """The process. The first requests wait until it is ready."""
        command = self._filled(self.command, url, load)
        log = ground.file(f"{self.package}-{place}.log")
        environ = self._environ(url, load)
        async with child(command, log=log, environ=environ, where=where) as process:
            yield process


def pgqueuer(sdk: str = "") -> Peer:
    """With batches of 100."""
    return Peer(
        name={"": "pgqueuer", "openai": "pgqueuer + OpenAI SDK", "litellm": "pgqueuer + LiteLLM"}[
            sdk
        ],
        package="pgqueuer",
        set_up=("pgq", "--pg-dsn", "{url}", "install"),
        command=(
            *("python", "-m", "benchmarks.peers.pgqueuer_worker", "100"),
            *(("{workers}",) if sdk else ()),
        ),
        send=f"INSERT INTO pgqueuer (priority, entrypoint, payload, status)"
        f" SELECT 0, 'answer', convert_to({MESSAGES}::text, 'UTF8'), 'queued' {FROM}",
        done="SELECT count(*) FROM answers"
        if sdk
        else "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'",
        sdk=sdk,
    )


def procrastinate() -> Peer:
    """As many at once as our workers."""
    app = ("procrastinate", "--app", "benchmarks.peers.procrastinate_worker.app")
    return Peer(
        name="procrastinate",
        package="procrastinate",
        set_up=(*app, "schema", "--apply"),
        command=(*app, "worker", "--concurrency", "{workers}"),
        send=f"INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        f" SELECT 'default', 'answer', {MESSAGES} {FROM}",
        done="SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
    )


def oban() -> Peer:
    """As many at once as our workers; under the newer Python."""
    return Peer(
        name="Oban for Python",
        package="oban",
        set_up=("oban", "install", "--dsn", "{url}"),
        command=(
            *("oban", "start", "--log-level", "WARNING", "--dsn", "{url}"),
            *("--queues", "default:{workers}", "--cron-modules", "benchmarks.peers.oban_worker"),
        ),
        send=f"INSERT INTO oban_jobs (queue, worker, args)"
        f" SELECT 'default', 'benchmarks.peers.oban_worker.Answer', {MESSAGES} {FROM}",
        done="SELECT count(*) FROM oban_jobs WHERE state = 'completed'",
        bin=NEWER,
    )
