"""Builds responses: pages in their frame, problems and redirects, with the common headers."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from nexus_actors.dashboard.access import (
    Admission,
    Caller,
    NotSignedIn,
    Session,
    admit,
    cookie_name,
    is_https,
)
from nexus_actors.dashboard.attempts import LoggedOut
from nexus_actors.dashboard.protocol import HEADERS
from nexus_actors.dashboard.rendering import Templates
from nexus_actors.dashboard.visit import LONGEST_VALUE, MOST_VALUES, Page, PageError, View
from nexus_actors.settings.model import Settings

SAID: Final = "said"
"""The query parameter with the id of a message that is shown once."""
_MOST_SAID: Final = 200


class Answers:
    """Builds the responses of one service."""

    def __init__(
        self, settings: Callable[[], Settings], pages: Sequence[Page], logged_out: LoggedOut
    ) -> None:
        self.settings = settings
        self._logged_out = logged_out
        self.templates = Templates()
        self._navigation = [it for it in pages if it.label is not None]
        self._key = secrets.token_bytes(32)
        """For the form tokens of viewers who need no access token."""
        self._said: OrderedDict[str, str] = OrderedDict()
        """Messages that were not shown yet, by an unguessable id."""

    def admit(self, request: Request) -> Admission:
        """Authenticate the sender of a request."""
        cookie = request.cookies.get(cookie_name(request.headers, is_tls=is_https(request)))
        caller = Caller(
            address=request.client.host if request.client else None,
            headers=request.headers,
            cookie=None if cookie is None or cookie in self._logged_out else cookie,
            http_version=request.scope.get("http_version", "1.1"),
        )
        return admit(caller, self.settings(), self._key, time.time())

    async def refused(self, request: Request, found: Admission) -> Response:
        """The response to a caller who was not admitted."""
        if isinstance(found, NotSignedIn):
            if request.method in ("GET", "HEAD"):
                return self.redirect("/login", {"back": here(request)})
            return await self.problem(
                request,
                None,
                401,
                "Log in",
                "You are no longer logged in; nothing was done.",
                "Log in at /login and try again.",
            )
        return await self.problem(
            request,
            None,
            403,
            "The dashboard is closed here",
            "No tokens are configured, so nobody is let in from where you are.",
            "Configure who may log in under [dashboard.tokens], such as"
            ' joe = { role = "operate", token_file = "joe" }, and reload the service. From the'
            ' machine itself, at http://127.0.0.1, [dashboard] loopback = "read" or "operate"'
            " needs no tokens.",
        )

    async def page(
        self,
        request: Request,
        session: Session | None,
        view: View,
        *,
        live: bool = False,
        section: str = "",
    ) -> Response:
        """Render a page in its frame."""
        said = request.query_params.get(SAID, "")
        frame = self.frame(request, session, view.title, live=live, section=section)
        values = {**view.values, **frame, "message": self._said.pop(said, "")}
        body = await self.templates.page(view.template, values)
        headers = {**HEADERS, "content-type": "text/html; charset=utf-8"}
        return Response(body, status_code=view.status, headers=headers)

    def frame(
        self,
        request: Request,
        session: Session | None,
        title: str,
        *,
        live: bool = False,
        section: str = "",
    ) -> dict[str, object]:
        """The values that `frame.html` needs and all templates may use."""
        where = here(request)
        return {
            "title": title,
            "service": self.settings().service.name,
            "navigation": self._navigation,
            "section": section,
            "path": request.scope["path"],
            "here": where,
            "viewer": None if session is None else session.viewer,
            "signed_in": session is not None and session.until is not None,
            "form_token": "" if session is None else session.form_token,
            "live": f"/live?{urlencode({'path': where})}" if live else "",
            "now": datetime.now(UTC),
            "message": "",
        }

    async def problem(
        self,
        request: Request,
        session: Session | None,
        status: int,
        title: str,
        problem: str,
        hint: str = "",
    ) -> Response:
        """A page that says what is wrong."""
        view = View("message.html", title, {"problem": problem, "hint": hint}, status)
        return await self.page(request, session, view)

    def redirect(self, path: str, query: Mapping[str, str], said: str = "") -> Response:
        """Redirect the browser to another page, which shows `said` once."""
        query = dict(query)
        if said:
            name = secrets.token_urlsafe(12)
            self._said[name] = said
            query[SAID] = name
            if len(self._said) > _MOST_SAID:
                self._said.popitem(last=False)
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query)
        return RedirectResponse(path, status_code=303, headers=dict(HEADERS))


def here(request: Request) -> str:
    """The path and query of a request, without the id of a message."""
    query = [it for it in request.query_params.multi_items() if it[0] != SAID]
    return quote(request.scope["path"]) + (f"?{urlencode(query)}" if query else "")


def inside(path: str, otherwise: str) -> str:
    """`path` if it stays within the dashboard, else `otherwise`."""
    is_ours = path.startswith("/") and path.isprintable() and path.isascii()
    if not is_ours or path.startswith("//") or "\\" in path or len(path) > LONGEST_VALUE:
        return otherwise
    return path


def query_of(request: Request) -> dict[str, str]:
    """The first value of each parameter. Raises PageError if there are too many or one is long."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if len(value) > LONGEST_VALUE or len(name) > 100:
            message = f"the query string: a value of more than {LONGEST_VALUE:,} characters"
            raise PageError(400, message)
        if name != SAID:
            found.setdefault(name, value)
        if len(found) > MOST_VALUES:
            raise PageError(400, f"the query string: more than {MOST_VALUES} names")
    return found
