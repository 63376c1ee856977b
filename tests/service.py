"""A whole service in the test's own process, and plain SQL beside it, as another program would use
it.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from nexus_actors.application import Application
from nexus_actors.operations.instance import claim_instance
from nexus_actors.settings.load import parse_settings
from nexus_actors.settings.model import Settings
from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres
from supervisors import ActorRef, Node, open_tree, tree
from tests.http_server import ScriptedServer

PATIENCE = 120.0
"""Seconds that an event may take before a test gives up: for machines, not for assertions."""


class Sql:
    """Plain SQL, as a producer or an operator sends it."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def rows(self, query: str, *args: object) -> list[dict[str, Any]]:
        """The rows of a query."""
        return [dict(row) for row in await self._pool.run(fetch, query, *args)]

    async def value(self, query: str, *args: object) -> Any:
        """The first column of the first row."""
        return next(iter((await self.rows(query, *args))[0].values()))

    async def send(self, *requests: object, queue: str = "ai_requests") -> None:
        """`SELECT pgmq.send(...)` for each request, as the contract has it."""
        for request in requests:
            body = request if isinstance(request, str) else json.dumps(request)
            await self.rows("SELECT pgmq.send($1, $2::text::jsonb)", queue, body)

    async def send_many(self, requests: Iterable[object], queue: str = "ai_requests") -> None:
        """The same in one statement."""
        bodies = [json.dumps(request) for request in requests]
        await self.rows(
            "SELECT pgmq.send($1, b::jsonb) FROM unnest($2::text[]) AS b", queue, bodies
        )

    async def until(self, query: str, *args: object) -> None:
        """Wait until the query's value is true. It is asked for less often the longer it takes: the
        machine is busy with what is waited for."""
        with trio.fail_after(PATIENCE):
            pause = 0.01
            while not await self.value(query, *args):
                await trio.sleep(pause)
                pause = min(pause * 1.3, 0.1)

    async def results(self) -> list[dict[str, Any]]:
        """Every result ever published to `ai_results`, archived ones included, in order."""
        rows = await self.rows(
            "SELECT message::text AS body FROM (SELECT msg_id, message FROM pgmq.q_ai_results"
            " UNION ALL SELECT msg_id, message FROM pgmq.a_ai_results) AS r ORDER BY msg_id"
        )
        return [json.loads(row["body"]) for row in rows]

    async def dead(self) -> list[dict[str, Any]]:
        """The dead letters, in order; of one that Python cannot read the request is left out."""
        rows = await self.rows(
            "SELECT (message - 'request')::text AS letter, (message -> 'request')::text AS request"
            " FROM pgmq.q_ai_requests_dead ORDER BY msg_id"
        )
        return [{**json.loads(row["letter"]), "request": _readable(row["request"])} for row in rows]

    async def attempts(self, request_id: str) -> list[dict[str, Any]]:
        """The journal's attempts of one request."""
        return await self.rows(
            "SELECT * FROM nexus.attempts WHERE request_id = $1 ORDER BY number", request_id
        )


@dataclass
class Service:
    """The running service."""

    application: Application
    root: ActorRef
    sql: Sql

    async def stored(self, count: int) -> None:
        """Wait until `job_results` has so many rows; say what is left if they do not come."""
        try:
            await self.sql.until("SELECT count(*) >= $1 FROM job_results", count)
        except trio.TooSlowError:
            raise AssertionError(await self.leftovers()) from None

    async def leftovers(self) -> str:
        """What is not finished, as the journal, the queues and this process see it."""
        rows = await self.sql.rows(
            "SELECT request_id, r.msg_id, r.read_ct, state, lane, attempts,"
            " q.read_ct AS queue_read_ct, q.vt - clock_timestamp() AS visible_in"
            " FROM nexus.requests r"
            " LEFT JOIN pgmq.q_ai_requests q USING (msg_id) WHERE state NOT IN ('done', 'failed')"
        )
        jobs = [
            (job.request_id, job.lease, job.place, job.outcome) for job in self.application.in_work
        ]
        lengths = await self.application.database.queue_lengths()
        stored = await self.sql.value("SELECT count(*) FROM job_results")
        return f"journal: {rows}\nin work: {jobs}\nqueues: {lengths}\nstored: {stored}"

    async def names(self) -> list[str]:
        """The names of all actors, the root first."""
        return [node.name for node in walk(await tree(self.root))]

    async def actor(self, name: str) -> ActorRef:
        """The ref of the actor that has this name now."""
        return await find(self.root, name)

    async def running_calls(self, count: int) -> None:
        """Wait until so many calls are being made."""
        with trio.fail_after(PATIENCE):
            while self.application.in_work.running < count:
                await trio.sleep(0.005)


def walk(node: Node) -> Iterable[Node]:
    """A node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


async def find(root: ActorRef, name: str) -> ActorRef:
    """Look for a process of this name below `root`."""
    from supervisors import Supervisor

    if root.name == name:
        return root
    for child in await Supervisor.which_children(root):
        if child.ref is not None and child.id == name:
            return child.ref
        if child.ref is not None and child.type == "supervisor":
            try:
                return await find(child.ref, name)
            except LookupError:
                continue
    raise LookupError(name)


def settings_for(url: str, data_dir: Path, **sections: Any) -> Settings:
    """Settings on this database; by default one `echo` provider serves every route. The pool has
    two connections, fewer than by default: statements have to wait for each other. Each connection
    costs PostgreSQL as much as a dozen statements, and plans them anew."""
    mapping: dict[str, Any] = {
        "service": {"data_dir": str(data_dir), "drain_timeout": 1.0},
        "database": {"url": url, "pool_size": 2},
        "providers": {"echo": {"kind": "echo", "pool_size": 16}},
        "routes": [{"complexity": "*", "task_type": "*", "models": ["echo/echo"]}],
    }
    for name, section in sections.items():
        if isinstance(section, Mapping) and name not in ("providers",):
            mapping[name] = {**mapping.get(name, {}), **section}
        else:
            mapping[name] = section
    settings = parse_settings(mapping, {})
    assert isinstance(settings, Settings), settings
    return settings


@asynccontextmanager
async def open_sql(url: str) -> AsyncIterator[Sql]:
    """Plain SQL on a database."""
    async with open_postgres(
        url, pool_size=2, command_timeout=PATIENCE, application_name="test"
    ) as pool:
        yield Sql(pool)


@asynccontextmanager
async def running_service(
    url: str,
    data_dir: Path,
    *,
    before: Callable[[Application], None] | None = None,
    settings: Settings | None = None,
    direct: bool = True,
    **sections: Any,
) -> AsyncIterator[Service]:
    """Run a service until the block ends, then stop it in order. `settings`: all of them, instead
    of `sections`. Not `direct`: its results go by the results queue, as where job_results refuses
    them."""
    settings = settings or settings_for(url, data_dir, **sections)
    async with open_sql(url) as sql:
        with claim_instance(data_dir) as instance:
            application = Application(settings, instance)
            if before is not None:
                before(application)
            with application.observing():
                async with open_tree(application.supervisor) as root:
                    if not direct:
                        application.database.requests.direct = None
                    yield Service(application, root, sql)


def by_http(server: ScriptedServer, **fields: Any) -> dict[str, Any]:
    """Sections of a config with which all requests go to that server, as to the provider `http`."""
    base_url = f"{server.url}/v1"
    http = {"kind": "openai_compatible", "free": True, "base_url": base_url, **fields}
    return {
        "providers": {"http": http},
        "routes": [{"complexity": "*", "task_type": "*", "models": ["http/m"]}],
    }


def request(number: int | str, **fields: Any) -> dict[str, Any]:
    """A simple request by the contract."""
    return {
        "request_id": f"request-{number}",
        "agent_id": "test-agent",
        "complexity": "simple",
        "messages": [{"role": "user", "content": f"message {number}"}],
        **fields,
    }


def _readable(body: str) -> Any:
    """A hostile message may be nested too deep for Python, or hold a number that is too long."""
    try:
        return json.loads(body)
    except (RecursionError, ValueError):
        return None
