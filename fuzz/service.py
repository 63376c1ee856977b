"""Rows through the whole service, on PostgreSQL and HTTP: each has exactly one end, the service's
loop is not blocked, and neither its memory nor a backend's goes beyond a bound."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import trio

from fuzz.finding import Finding, shortened
from fuzz.row import IDENTITY, Row
from nexus_actors.storage.errors import StorageError
from supervisors import telemetry
from tests.http_server import Recorded, Reply, ScriptedServer, scripted_server
from tests.service import Service, running_service

PATIENCE: Final = 30.0
"""Seconds until every row of a batch has its end; ten of them a row that stands alone."""
BLOCKED: Final = 0.5
"""Seconds of CPU in one step."""
HELD: Final = 400 * 2**20
"""Bytes by which the process may grow over a batch: the messages that it may have in work, many
times over."""
BACKEND: Final = 600 * 2**20
"""Bytes of one of PostgreSQL's processes."""
SECTIONS: Final[dict[str, Any]] = {
    "queue": {
        "message_megabytes": 1,
        "memory_megabytes": 32,
        "max_attempts": 2,
        "poll_interval": 0.1,
    },
    "routes": [
        {"complexity": "simple", "models": ["echo/e"]},
        {"complexity": "*", "models": ["p/m0"]},
    ],
}
_names = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A row that is there."""

    row: Row
    msg_id: int
    read_id: str | None
    """What identifies it, as the service reads it."""


class Bench:
    """A service that runs, and what it was seen to do."""

    def __init__(self, service: Service, server: ScriptedServer) -> None:
        self.service = service
        self.answers: dict[str, Reply] = {}
        server.script["*"] = self._answer
        self.blocked: list[telemetry.LoopBlocked] = []

    def _answer(self, request: Recorded) -> Reply:
        body = request.json
        model = body.get("model") if isinstance(body, dict) else None
        return self.answers.get(str(model), Reply())

    def see(self, event: telemetry.LoopBlocked) -> None:
        """Note a block that is an actor's own."""
        computed = event.cause in ("step", "lock") and event.cpu_seconds > BLOCKED
        if computed and event.process is not None:
            self.blocked.append(event)

    async def send(self, rows: Sequence[Row]) -> list[Sent]:
        """Write the rows, each by itself. What PostgreSQL does not take is no row."""
        sql, sent, name = self.service.sql, [], ""
        # Of nobody in particular is m0: it answers well, or its breaker would make those who come
        # to it by the route wait for longer than they are given here.
        for number, row in enumerate(rows, 1):
            name = name if row.twice and name else f"f{next(_names)}"
            if row.answer is not None:
                self.answers[f"m{number}"] = Reply(status=row.answer.status, body=row.answer.body())
            query, arguments = row.statement(name, number)
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, StorageError):
                msg_id, *returned = (await sql.rows(query, *arguments))[0].values()
                sent.append(Sent(row, msg_id, await self._identity(msg_id, *returned)))
        return sent

    async def _identity(self, msg_id: int, *returned: str | None) -> str | None:
        """As the statement returned it; else by the queue, or by the archive, where it has ended
        already. (A number that is given twice is another's in the archive.)
        """
        if not returned:
            found = await self.service.sql.rows(
                f"SELECT left({IDENTITY}, 300) AS id FROM (SELECT msg_id, message FROM"
                " pgmq.q_ai_requests UNION ALL SELECT msg_id, message FROM pgmq.a_ai_requests) AS m"
                " WHERE msg_id = $1",
                msg_id,
            )
            returned = tuple(row["id"] for row in found)
        read_id = returned[0] if returned else None
        return read_id if read_id is not None and 0 < len(read_id) <= 255 else None

    async def left(self, seconds: float) -> list[int]:
        """The messages that are still there when the time is over."""
        query = "SELECT msg_id FROM pgmq.q_ai_requests UNION SELECT msg_id FROM pgmq.q_ai_results"
        ids: list[int] = []
        with trio.move_on_after(seconds):
            while ids := [row["msg_id"] for row in await self.service.sql.rows(query)]:
                await trio.sleep(0.02)
        return ids

    async def ends(self, sent: Sequence[Sent]) -> list[tuple[Sent, str]]:
        """Rows without exactly one end."""
        sql = self.service.sql
        results = await sql.rows(
            "SELECT message ->> 'request_id' AS id, message ->> 'status' AS status FROM (SELECT"
            " message FROM pgmq.q_ai_results UNION ALL SELECT message FROM pgmq.a_ai_results) AS r"
        )
        dead = await sql.rows(
            "SELECT (message ->> 'msg_id')::bigint AS msg_id, message ->> 'request_id' AS id"
            " FROM pgmq.q_ai_requests_dead"
        )
        count: dict[str, int] = {}
        for row in results:
            count[row["id"]] = count.get(row["id"], 0) + 1
        failed = {row["id"] for row in results if row["status"] == "error"}
        dead_ids, dead_numbers = {row["id"] for row in dead}, {row["msg_id"] for row in dead}
        wrong = []
        for one in sent:
            if one.read_id is None:
                if one.msg_id not in dead_numbers:
                    wrong.append((one, "nothing identifies it, and it has no dead letter"))
            elif count.get(one.read_id) != 1:
                wrong.append((one, f"it has {count.get(one.read_id, 0)} results"))
            elif one.read_id in failed and one.read_id not in dead_ids:
                wrong.append((one, "it failed without a dead letter"))
        return wrong

    async def clear(self) -> None:
        """Forget what was; leave some of the archive, whose ids rows take."""
        for statement in (
            "DELETE FROM pgmq.q_ai_requests",
            "DELETE FROM pgmq.q_ai_requests_dead",
            "DELETE FROM pgmq.a_ai_results",
            "DELETE FROM pgmq.a_ai_requests WHERE msg_id <"
            " (SELECT max(msg_id) - 20 FROM pgmq.a_ai_requests)",
            "DELETE FROM nexus.attempts",
            "DELETE FROM nexus.requests",
            "DELETE FROM job_results",
        ):
            with suppress(StorageError):
                await self.service.sql.rows(statement)


@asynccontextmanager
async def open_bench(url: str, data_dir: Path) -> AsyncIterator[Bench]:
    """A service on this database; rows of answers go to a scripted server."""
    async with scripted_server() as server:
        provider = {
            "kind": "openai_compatible",
            "base_url": f"{server.url}/v1",
            "max_retries": 0,
            "timeout": 5.0,
            "pool_size": 16,
        }
        providers = {"echo": {"kind": "echo", "pool_size": 16}, "p": provider}
        async with running_service(url, data_dir, providers=providers, **SECTIONS) as service:
            bench = Bench(service, server)
            telemetry.attach("fuzz", telemetry.LoopBlocked, bench.see)
            try:
                yield bench
            finally:
                telemetry.detach("fuzz")


async def tried(url: str, folder: Path, rows: Sequence[Row], seconds: float) -> list[Finding]:
    """Put the rows through a service of their own."""
    async with open_bench(url, folder / f"s{next(_names)}") as bench:
        return await through(bench, rows, seconds)


async def through(bench: Bench, rows: Sequence[Row], seconds: float = PATIENCE) -> list[Finding]:
    """Put the rows through, and say what is wrong with them, or with all of them together."""
    bench.blocked.clear()
    backends = [row["pid"] for row in await bench.service.sql.rows(BACKENDS)]
    _forget_peaks(["self", *map(str, backends)])
    before = _memory("self", "VmRSS")
    sent = await bench.send(rows)
    left = set(await bench.left(seconds))
    wrong = [(one, "it has no end") for one in sent if one.msg_id in left]
    if not left:
        wrong = await bench.ends(sent)
    found = [_finding(one.row, f"{what} (id {one.read_id!r:.60})") for one, what in wrong]
    if left and not wrong:
        found.append(Finding("rows", f"{len(left)} messages stay that nobody sent", ""))
    together = [f"the loop was blocked: {event}" for event in bench.blocked]
    if (held := _memory("self", "VmHWM") - before) > HELD:
        together.append(f"the process grew by {held // 2**20} MB")
    most = max((_memory(str(pid), "VmHWM") for pid in backends), default=0)
    if most > BACKEND:
        together.append(f"a backend of PostgreSQL took {most // 2**20} MB")
    everything = shortened(" ".join(map(repr, rows)), 3000)
    await bench.clear()
    return [*found, *(Finding("rows", what, everything) for what in together)]


BACKENDS: Final = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"


def _finding(row: Row, what: str) -> Finding:
    return Finding("rows", what, shortened(f"{row} {row.statement('ID', 0)}"))


def _memory(process: str, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peaks(processes: Sequence[str]) -> None:
    for process in processes:
        with suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5")


async def narrowed(url: str, folder: Path, rows: Sequence[Row]) -> list[Finding]:
    """The row that does it alone, with as little that is odd as still does it."""
    if len(rows) > 1:
        middle = len(rows) // 2
        for half in (rows[:middle], rows[middle:]):
            if found := await tried(url, folder, half, PATIENCE / 2):
                return await narrowed(url, folder, half) or found
        return []
    for smaller in rows[0].smaller():
        if found := await tried(url, folder, [smaller], PATIENCE / 3):
            return await narrowed(url, folder, [smaller]) or found
    return []
