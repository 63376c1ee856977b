"""The admin server's ASGI application: its routes, and limits of time."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nexus_actors.admin.collector import Collector
from nexus_actors.admin.counts import Counts
from nexus_actors.admin.exposition import exposed
from nexus_actors.admin.health import readiness
from nexus_actors.admin.sources import Sources
from nexus_actors.contract.shown_text import json_text
from nexus_actors.dashboard.protocol import HEADERS, STREAM
from nexus_actors.work.tallies import Tallies

REQUEST_TIMEOUT: Final = 10.0
"""Seconds for a response."""
ACT_TIMEOUT: Final = 30.0
"""Seconds for the response to a POST, including the receipt of its body."""
TOO_LONG: Final = b"This takes too long, so it was given up: the database may be slow, or away.\n"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Pages:
    """The handlers of the routes for machines. GET and HEAD only."""

    def __init__(self, sources: Sources, tallies: Tallies, counts: Counts) -> None:
        self._sources = sources
        self._counts = counts
        self._collector = Collector(sources, tallies)

    def routes(self) -> list[Route]:
        """All routes for machines."""
        return [
            Route("/metrics", self.metrics),
            Route("/health/live", self.live),
            Route("/health/startup", self.startup),
            Route("/health/ready", self.ready),
        ]

    async def metrics(self, request: Request) -> Response:
        """All metrics, for Prometheus."""
        counted = await self._counts.read()
        families = self._collector.families(counted, unavailable=self._counts.unavailable)
        body, content_type = await exposed(families, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def live(self, _request: Request) -> Response:
        """Live if the event loop runs. Nothing else counts: a restart would abort paid calls."""
        return _health_response(ok=True, body={"status": "live"})

    async def startup(self, _request: Request) -> Response:
        """Whether the whole supervision tree has started."""
        started = self._sources.status.started
        return _health_response(ok=started, body={"status": "started" if started else "starting"})

    async def ready(self, _request: Request) -> Response:
        """Whether the service would lease requests now."""
        found = readiness(self._sources.status, self._sources.tables)
        body = {
            "status": "not ready" if found.reasons else "ready",
            "state": found.state,
            "reasons": found.reasons,
            "outages": found.outages,
            "paused": found.paused,
        }
        return _health_response(ok=not found.reasons, body=body)


def application(
    sources: Sources, tallies: Tallies, counts: Counts, dashboard: App | None = None
) -> App:
    """Build the ASGI application. Paths that are not for machines go to the dashboard, if any."""
    routes = Pages(sources, tallies, counts).routes()
    machines = bounded(Starlette(routes=routes))
    paths = {route.path for route in routes}

    people = None if dashboard is None else _for_people(dashboard)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        app = machines if people is None or scope["path"] in paths else people
        await app(scope, receive, send)

    return answer


def _for_people(dashboard: App) -> App:
    """Bound the dashboard's responses, except to POSTs, which get more time, and streams."""
    pages = bounded(dashboard)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == STREAM:
            await dashboard(scope, receive, send)
        elif scope["method"] == "POST":
            await _with_body(dashboard, scope, receive, send)
        else:
            await pages(scope, receive, send)

    return answer


async def _with_body(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a POST within `ACT_TIMEOUT`. If its body is incomplete at the end, hypercorn closes the
    connection."""
    said = _Said(send)
    with trio.move_on_after(ACT_TIMEOUT) as limit:
        await app(scope, receive, said.send)
    if limit.cancelled_caught:
        await said.cut()


def bounded(app: App) -> App:
    """`app` with `REQUEST_TIMEOUT` for each response. Bodies are dropped: `app` does not read them,
    and an unread body would keep its connection busy."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        gone = trio.Event()
        said = _Said(send)
        with trio.move_on_after(REQUEST_TIMEOUT) as limit:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_drop, receive, gone)
                await app(scope, _empty(gone), said.send)
                nursery.cancel_scope.cancel()
        if limit.cancelled_caught:
            await said.cut()

    return answer


class _Said:
    """A response that knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        self._has_begun = True
        await self._send(message)

    async def cut(self) -> None:
        """The time is over: respond with 503, unless the response has begun."""
        if self._has_begun:
            return
        length, kind = str(len(TOO_LONG)), "text/plain; charset=utf-8"
        headers = {**HEADERS, "content-type": kind, "content-length": length}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 503, "headers": raw})
        await self._send({"type": "http.response.body", "body": TOO_LONG, "more_body": False})


async def _drop(receive: Receive, gone: trio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _empty(gone: trio.Event) -> Receive:
    """The messages of a request without a body, then the disconnect."""
    parts = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for part in parts:
            return part
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


def _health_response(*, ok: bool, body: Mapping[str, object]) -> Response:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    text = json_text(body, ascii_only=True)
    return Response(text + "\n", status_code=200 if ok else 503, headers=headers)
