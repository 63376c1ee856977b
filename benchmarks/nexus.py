"""`nexus start` of any revision as one of the sides, and the files of an earlier revision."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks.ground import ROOT, SERVICE_CORES, Ground, child
from benchmarks.race import Load
from nexus_actors.operations import control, control_client

REVISION = "adc0287"
READY = 60.0
"""Seconds for a start."""
CONFIG = """[service]
name = "{name}"
data_dir = "{folder}"
{database}
[providers.bench]
{provider}
pool_size = {workers}
[[routes]]
complexity = "*"
task_type = "*"
models = ["bench/model"]
"""
HTTP = """kind = "openai_compatible"
base_url = "{url}"
free = true
timeout = 60.0"""
SEND = """
SELECT pgmq.send('ai_requests', jsonb_build_object(
    'request_id', 'bench-' || n, 'agent_id', 'bench', 'complexity', 'simple', 'messages',
    jsonb_build_array(jsonb_build_object(
        'role', 'user', 'content', rpad('message ' || n, $2::int, ' word')))))
FROM generate_series($3::int + 1, $3::int + $1::int) AS n
"""


def config(folder: Path, load: Load, *, url: str = "", name: str = "bench") -> str:
    """TOML of a service with one provider. Without a URL, its PostgreSQL is an embedded one."""
    return CONFIG.format(
        name=name,
        folder=folder,
        database=f'[database]\nurl = "{url}"' if url else "",
        provider=HTTP.format(url=load.upstream) if load.upstream else 'kind = "echo"',
        workers=load.workers,
    )


@asynccontextmanager
async def service(
    ground: Ground,
    text: str,
    data_dir: Path,
    *,
    tree: Path = ROOT,
    where: set[int] = SERVICE_CORES,
    look: float = 0.02,
) -> AsyncIterator[trio.Process]:
    """`nexus start` with this config, ready."""
    file = ground.file("nexus.toml")
    file.write_text(text)
    log = ground.file("service.log")
    command = [sys.executable, "-m", "nexus_actors.cli", "start", "--config", str(file)]
    async with child(command, log=log, cwd=tree, where=where) as process:
        with trio.fail_after(READY):
            # Its control socket is the last thing that it starts.
            while process.poll() is None:
                with suppress(control_client.ControlError):
                    await control.ask(data_dir, "status")
                    break
                await trio.sleep(look)
        if process.poll() is not None:
            raise RuntimeError(f"the service did not start: {log.read_text()[-3000:]}")
        yield process


@dataclass(slots=True)
class Nexus:
    """The service of a revision."""

    name: str
    tree: Path = ROOT
    done: str = "SELECT count(*) FROM public.job_results"
    send: str = SEND
    _template: str = field(default="", init=False)

    async def template(self, ground: Ground) -> str:
        """Set up by a start of that revision."""
        if not self._template:
            name = await ground.create()
            async with self.started(ground, ground.at(name), Load("", 0, 1), 0, SERVICE_CORES):
                pass
            self._template = name
        return self._template

    @asynccontextmanager
    async def started(
        self, ground: Ground, url: str, load: Load, place: int, where: set[int]
    ) -> AsyncIterator[trio.Process]:
        """The process, ready."""
        data_dir = ground.file("data")
        text = config(data_dir, load, url=url, name=f"bench-{place}")
        async with service(ground, text, data_dir, tree=self.tree, where=where) as process:
            yield process


@contextmanager
def checkout(revision: str) -> Iterator[Path | None]:
    """The files of a revision, gone afterwards; None where this is no history with it."""
    with tempfile.TemporaryDirectory(prefix="nexus-against-") as folder:
        tree = Path(folder) / "tree"
        added = _git("worktree", "add", "--detach", str(tree), revision)
        try:
            yield tree if added else None
        finally:
            if added:
                _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> bool:
    with suppress(OSError):
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    return False
