"""`/act/NAME`: asks for confirmation of an action, and carries it out."""

import re
from collections.abc import Mapping
from typing import Final

import structlog
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nexus_actors.contract.shown_text import printable
from nexus_actors.dashboard.access import Session, is_same_site, same_token
from nexus_actors.dashboard.answers import Answers, inside, query_of
from nexus_actors.dashboard.bodies import BadForm, Bodies
from nexus_actors.dashboard.forms import PREVIEW_TIMEOUT, ActionForm, FormError, Values, checked
from nexus_actors.dashboard.visit import PageError, View, why_no_messages
from nexus_actors.monitoring.actions import Action
from nexus_actors.monitoring.nodes import read_nodes, with_names
from nexus_actors.monitoring.reading import Reader
from nexus_actors.storage.errors import StorageError, StorageRefused

MOST_FORMS: Final = 8
"""The most forms that are received at once."""
UNCOUNTED: Final = f"Not counted: counting takes more than {PREVIEW_TIMEOUT:g} s."
_ID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}")
"""The beginning of a node's id."""
_REFUSED: Final = "the database refused: "

log = structlog.get_logger("nexus.dashboard")


class ActionPages:
    """Handles the forms of actions, for viewers who may operate."""

    def __init__(
        self, answers: Answers, reader: Reader, action_forms: Mapping[str, ActionForm]
    ) -> None:
        self._answers = answers
        self._reader = reader
        self._action_forms = action_forms
        self._bodies = Bodies(MOST_FORMS)
        self._limiter = trio.CapacityLimiter(1)

    def routes(self) -> list[Route]:
        """The route of all actions."""
        return [Route("/act/{name}", self.act, methods=["GET", "POST"])]

    async def act(self, request: Request) -> Response:
        """Ask for confirmation (GET), or carry out the action (POST)."""
        session = self._answers.admit(request)
        if not isinstance(session, Session):
            return await self._answers.refused(request, session)
        name = request.path_params["name"]
        action_form = self._action_forms.get(name)
        if action_form is None:
            message = "There is no such action."
            return await self._answers.problem(request, session, 404, "Not there", message)
        if not session.viewer.may_operate:
            message = f"{session.viewer.name} may look, and may not act."
            hint = 'To act, a token needs role = "operate" in [dashboard.tokens].'
            return await self._answers.problem(request, session, 403, "Not allowed", message, hint)
        unseen = why_no_messages(session.viewer, self._answers.settings())
        if action_form.shows_messages and unseen is not None:
            return await self._answers.problem(request, session, 403, "Not allowed", unseen)
        if request.method != "POST":
            return await self._ask(request, session, name, action_form)
        return await self._do(request, session, name, action_form)

    async def _ask(
        self, request: Request, session: Session, name: str, action_form: ActionForm
    ) -> Response:
        try:
            given: Values = query_of(request)
            if action_form.fill is not None:
                given = {**await action_form.fill(self._reader, given, session.viewer.by), **given}
        except PageError as error:
            title = "That cannot be asked"
            return await self._answers.problem(request, session, error.status, title, str(error))
        except StorageError as error:
            title = "The database does not answer"
            return await self._answers.problem(request, session, 503, title, str(error))
        return await self._form(request, session, name, action_form, given)

    async def _do(
        self, request: Request, session: Session, name: str, action_form: ActionForm
    ) -> Response:
        if not is_same_site(request.headers):
            return await self._foreign(request, session)
        try:
            form = await self._bodies.form(request, action_form.longest_body)
        except BadForm as error:
            message = f"The form: {error}. Nothing was done."
            return await self._answers.problem(request, session, 413, "No such form", message)
        if not same_token(form.get("token", ""), session.form_token):
            return await self._foreign(request, session)
        try:
            action = await self._made(action_form, form)
        except FormError as error:
            return await self._form(request, session, name, action_form, form, str(error), 400)
        try:
            done = await action.carry_out(self._reader, session.viewer.by)
        except StorageRefused as error:
            message = f"{str(error).removeprefix(_REFUSED)}. Nothing was done."
            return await self._form(request, session, name, action_form, form, message, 409)
        except StorageError as error:
            message = f"{error}. Whether it was done is not known."
            return await self._form(request, session, name, action_form, form, message, 503)
        log.info("acted", action=name, by=session.viewer.by)
        done = await self._with_names(done)
        back = inside(form.get("back", ""), action_form.back)
        is_gone = bool(action_form.ends) and back.startswith(action_form.ends)
        return self._answers.redirect(action_form.back if is_gone else back, {}, done)

    async def _with_names(self, text: str) -> str:
        """Replace nodes' ids by their names; unchanged if the names cannot be read."""
        if not _ID.search(text):
            return text
        try:
            return with_names(text, await read_nodes(self._reader))
        except StorageError:
            return text

    async def _form(
        self,
        request: Request,
        session: Session,
        name: str,
        action_form: ActionForm,
        given: Values,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        action: Action | None = None
        preview = ""
        try:
            action = await self._made(action_form, given)
            preview = UNCOUNTED
            with trio.move_on_after(PREVIEW_TIMEOUT):
                preview = await action.preview(self._reader)
        except FormError as error:
            # A form that was opened without values has no mistake yet.
            if request.method != "POST" and any(it.name in given for it in action_form.fields):
                problem = problem or str(error)
        except StorageError as error:
            problem = problem or printable(str(error))
        question = "" if action is None else await self._with_names(action.question)
        values = {
            "name": name,
            "action": action,
            "question": question,
            "preview": preview,
            "act_fields": action_form.fields,
            "has_area": action_form.has_area,
            "given": given,
            "back": inside(given.get("back", ""), action_form.back),
            "dangerous": action_form.is_dangerous,
            "verb": action_form.title,
            "problem": problem,
        }
        return await self._answers.page(
            request, session, View("action.html", action_form.title, values, status)
        )

    async def _made(self, action_form: ActionForm, given: Values) -> Action:
        """Build the action; long texts are parsed in a thread. Raises FormError."""

        def make() -> Action:
            return action_form.make(checked(action_form, given))

        if not action_form.has_area:
            return make().among(self._reader.queues)
        action = await trio.to_thread.run_sync(make, limiter=self._limiter)
        return action.among(self._reader.queues)

    async def _foreign(self, request: Request, session: Session) -> Response:
        message = "This form was not sent by a current page of the dashboard. Nothing was done."
        return await self._answers.problem(request, session, 403, "Not allowed", message)
