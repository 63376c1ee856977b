"""What each side sends for the same request."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

from differential import official_clients, ours, theirs
from differential.findings import Finding
from differential.models import Api, Model, openai
from differential.normal import ABSENT, Difference, differences, normal
from differential.official_forms import official, responses_form
from differential.requests import CASES, Case
from differential.server import Bench
from nexus_actors.contract.errors import Refusal
from nexus_actors.providers.port import ProviderSession
from tests.http_server import Reply

_NO: Final = Reply(status=400, body={"error": {"message": "no", "type": "invalid_request_error"}})
"""Enough to have seen the request."""
_PATHS: Final[Mapping[Api, str]] = {
    "chat": "/chat/completions",
    "responses": "/responses",
    "messages": "/messages",
    "generate_content": "enerateContent",  # or streamGenerateContent
}
Sent = tuple[str, Mapping[str, Any]] | str
"""The path and the body of a call, or why there was none."""


async def compare(model: Model, bench: Bench) -> AsyncIterator[Finding]:
    """Each case, with LiteLLM and with the vendor's own client."""
    async with ours.session(model, bench.url) as opened:
        for name, case in CASES.items():
            mine, told = await _ours(model, case, opened, bench)
            for against, call in _others(model, _asked(model, mine), name, bench):
                other = await _theirs(call, bench)
                found = _compared(model, mine, other)
                yield Finding("bodies", model.vendor, model.key, name, against, found, told)


def _asked(model: Model, mine: Sent) -> Model:
    """The model by the API that ours chose: the official client is asked by the same."""
    if model.api != "chat" or isinstance(mine, str) or _api_of(mine[0]) == "chat":
        return model
    return openai(model.name, "responses")


def _others(
    model: Model, same: Model, name: str, bench: Bench
) -> list[tuple[str, Callable[[], Any]]]:
    """LiteLLM chooses the API itself; `same` is for the official client."""
    asked = responses_form(name) if model.api == "responses" else CASES[name].chat
    form = official(same, name)
    calls: list[tuple[str, Callable[[], Any]]] = []
    if asked is not None:
        calls.append(("litellm", lambda: theirs.call(model, bench.url, asked)))
    if form is not None:
        calls.append(("sdk", lambda: official_clients.call(same, bench.url, form)))
    return calls


async def _ours(
    model: Model, case: Case, opened: ProviderSession, bench: Bench
) -> tuple[Sent, tuple[str, ...]]:
    bench.expect(_NO)
    asked = ours.request(model, case.fields)
    if isinstance(asked, Refusal):
        return asked.message, ()
    outcome = await ours.complete(opened, model, asked, stream=asked.stream)
    sent = _sent(bench)
    return getattr(outcome, "message", "nothing sent") if sent is None else sent, outcome.dropped


async def _theirs(call: Callable[[], Any], bench: Bench) -> Sent:
    bench.expect(_NO)
    try:
        await bench.call(lambda: _begun(call()))
    except Exception as error:  # noqa: BLE001 - whatever it raises, it says what it did not send
        why = f"{type(error).__name__}: {error}"
    else:
        why = "nothing sent"
    sent = _sent(bench)
    return why if sent is None else sent


def _begun(answer: Any) -> None:
    """A stream may be asked for only when it is read."""
    if isinstance(answer, Iterator):
        next(answer, None)


def _sent(bench: Bench) -> Sent | None:
    return None if bench.sent is None else (bench.path, bench.sent)


def _compared(model: Model, mine: Sent, other: Sent) -> tuple[Difference, ...]:
    if isinstance(mine, str) or isinstance(other, str):
        if isinstance(mine, str) and isinstance(other, str):
            return ()
        return (
            Difference(
                "refused",
                mine if isinstance(mine, str) else ABSENT,
                other if isinstance(other, str) else ABSENT,
            ),
        )
    apis = tuple(_api_of(path) for path, _ in (mine, other))
    if apis[0] != apis[1]:
        return (Difference("api", *apis),)
    return tuple(differences(normal(apis[0], mine[1]), normal(apis[0], other[1])))


def _api_of(path: str) -> Api:
    return next(api for api, part in _PATHS.items() if part in path)
