"""The dashboard's ASGI application."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nexus_actors.dashboard.access import Session
from nexus_actors.dashboard.action_forms import ACTION_FORMS
from nexus_actors.dashboard.action_pages import ActionPages
from nexus_actors.dashboard.answers import Answers, query_of
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.dashboard.entrance import Entrance
from nexus_actors.dashboard.pages import PAGES
from nexus_actors.dashboard.protocol import HEADERS
from nexus_actors.dashboard.streaming import Streaming
from nexus_actors.dashboard.visit import Page, PageError, Visit
from nexus_actors.monitoring.reading import LazyReader
from nexus_actors.settings.model import Settings
from nexus_actors.storage.errors import StorageError

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_STATIC: Final = frozenset({"nexus.css", "nexus.js", "icon.svg"})
_TITLES: Final = {400: "That cannot be asked", 403: "Not allowed", 404: "Not there"}


class Dashboard:
    """The dashboard of one service. Works while `run` runs."""

    def __init__(
        self, settings: Callable[[], Settings], reader: LazyReader, attempts: Attempts
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._answers = answers = Answers(settings, PAGES, attempts.logged_out)
        self._streaming = Streaming(answers, reader, PAGES)
        self.routes = [
            *(Route(page.path, self._shower(page)) for page in PAGES),
            *Entrance(answers, attempts, reader).routes(),
            *ActionPages(answers, reader, ACTION_FORMS).routes(),
            *self._streaming.routes(),
            Route("/static/{name}", self._static),
        ]
        handlers: Any = {
            404: self._not_found,
            405: self._not_found,
            Exception: self._crashed,
        }
        self._app = Starlette(routes=self.routes, exception_handlers=handlers)

    async def run(self) -> None:
        """Run the database's reader and the live updates. Never returns."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reader.run)
            nursery.start_soon(self._streaming.hub.run)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI entry point."""
        await self._app(scope, receive, send)

    def _shower(self, page: Page) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            found = self._answers.admit(request)
            if not isinstance(found, Session):
                return await self._answers.refused(request, found)
            return await self._show(request, found, page)

        return answer

    async def _show(self, request: Request, session: Session, page: Page) -> Response:
        try:
            view = await page.show(self._visit(request, session))
        except PageError as error:
            title = _TITLES.get(error.status, "That did not work")
            return await self._answers.problem(request, session, error.status, title, str(error))
        except StorageError as error:
            title = "The database does not answer"
            return await self._answers.problem(request, session, 503, title, str(error))
        section = page.under or page.path
        return await self._answers.page(request, session, view, live=page.live, section=section)

    def _visit(self, request: Request, session: Session) -> Visit:
        return Visit(
            path=request.scope["path"],
            query=query_of(request),
            parts={name: str(value) for name, value in request.path_params.items()},
            viewer=session.viewer,
            reader=self._reader,
            settings=self._settings(),
            now=datetime.now(UTC),
        )

    async def _not_found(self, request: Request, _error: Exception) -> Response:
        found = self._answers.admit(request)
        if not isinstance(found, Session):
            return await self._answers.refused(request, found)
        message = "There is no such page."
        return await self._answers.problem(request, found, 404, "Not there", message)

    async def _crashed(self, request: Request, _error: Exception) -> Response:
        """Respond to a bug in a page; the log has the error."""
        message = "The page could not be made; the service's log says why."
        return await self._answers.problem(request, None, 500, "That did not work", message)

    async def _static(self, request: Request) -> Response:
        """Served without a session, since the login page needs these files; none is secret."""
        name = request.path_params["name"]
        if name not in _STATIC:
            return await self._not_found(request, KeyError(name))
        body = await trio.to_thread.run_sync(_bytes, name)
        kind = f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
        headers = {**HEADERS, "content-type": kind, "cache-control": "no-cache"}
        return Response(body, headers=headers)


def _bytes(name: str) -> bytes:
    return files("nexus_actors.dashboard").joinpath("static", name).read_bytes()
