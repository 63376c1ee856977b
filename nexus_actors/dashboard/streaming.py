"""`/live?path=…`: streams a page's events, as long as the client reads them."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route

from nexus_actors.dashboard.access import Session
from nexus_actors.dashboard.answers import Answers, query_of
from nexus_actors.dashboard.live import Full, Hub, Topic, Watching
from nexus_actors.dashboard.protocol import HEADERS, STAYS, STREAM
from nexus_actors.dashboard.visit import Page, PageError, Viewer, Visit
from nexus_actors.monitoring.reading import Reader

RETRY: Final = "retry: 2000\n\n"
"""Milliseconds after which a browser reconnects by itself."""


class Streaming:
    """Serves the streams of live pages."""

    def __init__(self, answers: Answers, reader: Reader, pages: Sequence[Page]) -> None:
        self._answers = answers
        self._reader = reader
        self._pages = [(Route(it.path, _nothing), it) for it in pages if it.live]
        self.hub = Hub(self._render)

    def routes(self) -> list[Route]:
        """The route of all streams."""
        return [Route(STREAM, self.live)]

    async def live(self, request: Request) -> Response:
        """Stream a page's events."""
        session = self._answers.admit(request)
        if not isinstance(session, Session):
            return _refused(401, "log in first")
        page = _asked(request.query_params.get("path", ""))
        found = None if page is None else self._found(page)
        if page is None or found is None:
            return _refused(404, "there is no such page that is live")
        try:
            topic = Topic(_known(page, found[0]), session.viewer.role)
            watching = self.hub.enter(topic, session.viewer.name)
        except PageError as error:
            return _refused(error.status, str(error))
        except Full:
            return _refused(503, "too many look already")
        stays: Callable[[], None] = request.scope.get("state", {}).get(STAYS, _nothing)
        stays()
        return _Stream(
            watching,
            until=session.until,
            may_go_on=lambda: self._may_go_on(request, session),
            on_end=lambda: self.hub.leave(topic, watching),
        )

    def _may_go_on(self, request: Request, session: Session) -> bool:
        """Whether the same viewer would still be admitted now."""
        found = self._answers.admit(request)
        return isinstance(found, Session) and found.viewer == session.viewer

    def _found(self, request: Request) -> tuple[Page, dict[str, Any]] | None:
        for route, page in self._pages:
            match, scope = route.matches(request.scope)
            if match is Match.FULL:
                return page, scope["path_params"]
        return None

    async def _render(self, topic: Topic) -> str:
        request = _asked(topic.here)
        found = None if request is None else self._found(request)
        if request is None or found is None:
            raise PageError(404, "there is no such page")
        page, parts = found
        viewer = Viewer("live", topic.role)
        visit = Visit(
            path=request.scope["path"],
            query=query_of(request),
            parts={name: str(value) for name, value in parts.items()},
            viewer=viewer,
            reader=self._reader,
            settings=self._answers.settings(),
            now=datetime.now(UTC),
        )
        view = await page.show(visit)
        frame = self._answers.frame(request, Session(viewer, "", None), view.title)
        return await self._answers.templates.live(view.template, {**view.values, **frame})


class _Stream(Response):
    """A response that lasts until its events or its session end, or the client disconnects."""

    def __init__(
        self,
        watching: Watching,
        *,
        until: float | None,
        may_go_on: Callable[[], bool],
        on_end: Callable[[], None],
    ) -> None:
        headers = {**HEADERS, "content-type": "text/event-stream", "connection": "close"}
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._watching = watching
        self._until = until
        self._may_go_on = may_go_on
        self._on_end = on_end

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        left = float("inf") if self._until is None else self._until - time.time()
        try:
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.deadline = trio.current_time() + left
                nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
                await send(
                    {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                )
                await _say(send, RETRY)
                while self._may_go_on() and (event := await self._watching.next()):
                    await _say(send, event)
                nursery.cancel_scope.cancel()
        finally:
            self._on_end()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _say(send: Any, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _until_gone(receive: Any, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _asked(path: str) -> Request | None:
    """A request for a page, made from its path and query; None if the path is invalid."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return None
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": unquote(parts.path),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [],
            "scheme": "http",
            "server": None,
        }
    )


def _known(request: Request, page: Page) -> str:
    """The path, and the query parameters that the page reads, in a fixed order. Parameters that the
    page ignores make no separate topic. Raises PageError."""
    query = query_of(request)
    known = urlencode([(name, query[name]) for name in page.query if name in query])
    return quote(request.scope["path"]) + (f"?{known}" if known else "")


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"{why}\n", status_code=status, headers=dict(HEADERS))


def _nothing(*_arguments: Any) -> Any:
    return None
