"""Logging in and out."""

import json
import time
from typing import Final

import structlog
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nexus_actors.dashboard.access import (
    SESSION_SECONDS,
    Admission,
    NoTokens,
    Session,
    cookie_name,
    is_https,
    is_same_site,
    same_token,
    session_cookie,
    token_of,
)
from nexus_actors.dashboard.answers import Answers, inside
from nexus_actors.dashboard.attempts import Attempts
from nexus_actors.dashboard.bodies import BadForm, Bodies
from nexus_actors.dashboard.visit import View
from nexus_actors.monitoring.reading import Reader
from nexus_actors.storage.errors import StorageError

LONGEST_LOGIN: Final = 16 * 1024
"""Bytes of a login form, which anybody may send."""
MOST_LOGINS: Final = 4
"""The most login forms that are received at once."""
MOST_LOGOUTS: Final = 4
RECORD_TIMEOUT: Final = 3.0
"""Seconds that a login waits for its audit record."""
FOREIGN: Final = "This form was not sent by a page of the dashboard."

log = structlog.get_logger("nexus.dashboard")


class Entrance:
    """`/login` and `/logout`."""

    def __init__(self, answers: Answers, attempts: Attempts, reader: Reader) -> None:
        self._answers = answers
        self._attempts = attempts
        self._reader = reader
        self._logins = Bodies(MOST_LOGINS)
        self._logouts = Bodies(MOST_LOGOUTS)

    def routes(self) -> list[Route]:
        """Both routes."""
        return [
            Route("/login", self.login, methods=["GET", "POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    async def login(self, request: Request) -> Response:
        """Show the form (GET), or check the token and begin a session (POST)."""
        found = self._answers.admit(request)
        if isinstance(found, NoTokens):
            return await self._answers.refused(request, found)
        if request.method != "POST":
            back = inside(request.query_params.get("back", "/"), "/")
            if isinstance(found, Session):
                return self._answers.redirect(back, {})
            return await self._form(request, back)
        return await self._log_in(request)

    async def logout(self, request: Request) -> Response:
        """End the session. Without a session, the form is not read."""
        found = self._answers.admit(request)
        if not is_same_site(request.headers):
            return await self._foreign(request, found)
        if isinstance(found, NoTokens):
            return await self._answers.refused(request, found)
        if not isinstance(found, Session):
            return self._answers.redirect("/login", {})
        try:
            form = await self._logouts.form(request)
        except BadForm as error:
            return await self._answers.problem(request, found, 400, "No such form", str(error))
        if not same_token(form.get("token", ""), found.form_token):
            return await self._foreign(request, found)
        name = cookie_name(request.headers, is_tls=is_https(request))
        if found.until is not None:
            self._attempts.logged_out.add(request.cookies.get(name, ""), found.until, time.time())
        answer = self._answers.redirect("/login", {})
        answer.delete_cookie(
            name, path="/", httponly=True, samesite="strict", secure=is_https(request)
        )
        return answer

    async def _foreign(self, request: Request, found: Admission) -> Response:
        session = found if isinstance(found, Session) else None
        return await self._answers.problem(request, session, 403, "Not allowed", FOREIGN)

    async def _log_in(self, request: Request) -> Response:
        if not is_same_site(request.headers):
            return await self._answers.problem(request, None, 403, "Not allowed", FOREIGN)
        peer = request.client.host if request.client else "a socket"
        try:
            form = await self._logins.form(request, LONGEST_LOGIN)
        except BadForm as error:
            return await self._answers.problem(request, None, 400, "No such form", str(error))
        back = inside(form.get("back", "/"), "/")
        # A right token is never throttled, however many wrong ones come through the same proxy.
        token = token_of(form.get("secret", ""), self._answers.settings().access)
        if token is None:
            return await self._wrong(request, peer, back)
        self._attempts.succeeded(peer)
        log.info("logged in to the dashboard", name=token.name, role=token.role, peer=peer)
        await self._record("login", None, token.name, peer)
        answer = self._answers.redirect(back, {})
        is_tls = is_https(request)
        answer.set_cookie(
            cookie_name(request.headers, is_tls=is_tls),
            session_cookie(token, time.time()),
            max_age=SESSION_SECONDS,
            path="/",
            httponly=True,
            samesite="strict",
            secure=is_tls,
        )
        return answer

    async def _wrong(self, request: Request, peer: str, back: str) -> Response:
        """Reject a wrong token. It is recorded, unless there were too many of late."""
        wait = self._attempts.wait(peer, trio.current_time())
        if wait > 0:
            message = f"Too many wrong tokens; try again in {wait:.0f} s."
            answer = await self._form(request, back, message, 429)
            answer.headers["retry-after"] = f"{wait:.0f}"
            return answer
        self._attempts.begin(peer, trio.current_time())
        log.warning("a login to the dashboard failed", peer=peer)
        await self._record("login refused", json.dumps({"peer": peer}), "unknown", peer)
        return await self._form(request, back, "Unknown token.", 403)

    async def _record(self, action: str, detail: str | None, name: str, peer: str) -> None:
        """Record in the audit. A login succeeds even if that fails, to look into an outage."""
        try:
            with trio.move_on_after(RECORD_TIMEOUT) as limit:
                await self._reader.act(
                    "record", action, "dashboard", detail, f"{name} via dashboard"
                )
        except StorageError as error:
            log.warning(f"a {action} is not on record", name=name, peer=peer, why=str(error))
        else:
            if limit.cancelled_caught:
                log.warning(f"a {action} is not on record", name=name, peer=peer, why="no answer")

    async def _form(
        self, request: Request, back: str, problem: str = "", status: int = 200
    ) -> Response:
        view = View("login.html", "Log in", {"back": back, "problem": problem}, status)
        return await self._answers.page(request, None, view)
