"""What all providers behind HTTP have in common: the connection, the deadline, streams, the price,
and masking, so that no failure's message contains a key or a prompt.

An `HttpApi` (`api.py`) defines how a call is written and what an answer means. A provider is a file
with its settings and its API: see `openai_compatible.py`. `Answer.model` is the requested model,
under the name in the routes; the price is that of the model that answered.

Expected failures are returned as a `ProviderFailure`. Anything else is raised, and handled by the
worker.
"""

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import Any
from urllib.parse import quote

import trio

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.foreign import bounded_notes
from nexus_actors.contract.json_text import sendable
from nexus_actors.contract.provider_state import Owner, open_states, seal_answer
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers import pricing
from nexus_actors.providers.apis.answer_schema import violation
from nexus_actors.providers.failures import no_answer
from nexus_actors.providers.http.answer_stream import AnswerStream, whole_answer
from nexus_actors.providers.http.api import HttpApi, Prepared, Reading, invalid, refused
from nexus_actors.providers.http.costs import Cost, answer_price
from nexus_actors.providers.http.exchange import Body, Broken, HttpAnswer, Transport
from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.http.transports import http_session
from nexus_actors.providers.lookups import use_own_threads
from nexus_actors.providers.optional_fields import without_fields
from nexus_actors.providers.port import (
    NOTHING,
    OnText,
    Outcome,
    ProviderFailure,
    ProviderSession,
)
from nexus_actors.providers.redact import request_secrets, request_texts, safe_message
from nexus_actors.providers.sent_fields import LIMIT, dispensable, names_a_value
from nexus_actors.providers.takes import Takes

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}")
"""A valid model name. With some APIs it becomes part of the path."""

_OF_A_MODEL = re.compile(r"model|deployment", re.IGNORECASE)
_OF_A_PATH = re.compile(
    r"(?:.*(?:not.?found|\b(?:url|path|page|route|resource|endpoint)\b).*)?",
    re.IGNORECASE | re.DOTALL,
)
"""Messages of servers about a path that does not exist; some have none."""


class HttpProviderSession:
    """One worker's session with one key. Its repr does not show the key."""

    def __init__(
        self, name: str, settings: HttpSettings, key: str, api: HttpApi, http: Transport
    ) -> None:
        self._name = name
        self._settings = settings
        self._api = api
        self._http = http
        self._secrets = tuple({form for form in (key, quote(key, safe="")) if form})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name} {self._settings.base_url}>"

    async def complete(
        self,
        request: LLMRequest,
        model: str,
        *,
        timeout: float,
        on_text: OnText | None = None,
        without: Mapping[str, str] = NOTHING,
        key_name: str | None = None,
    ) -> Outcome:
        """See `ProviderSession.complete`. `timeout` includes connecting."""
        owner = Owner(self._name, model, key_name)
        asked, left_out = without_fields(request, without)
        takes = self._settings.takes(model, request)
        if LIMIT in without:
            takes = takes.with_other_limit()
        prepared = self._prepare(asked, takes, left_out, owner, stream=on_text is not None)
        if isinstance(prepared, ProviderFailure):
            return self._masked(prepared, request)
        content = sendable(prepared.body)
        if content is None:
            return refused("the request holds a number or a nesting that JSON cannot carry")
        body = Body(content)
        stream = None if on_text is None else AnswerStream(self._api.reader(), on_text)
        outcome = _checked(await self._call(prepared, body, owner, timeout, stream), prepared.check)
        if notes := (*prepared.dropped, *outcome.dropped):
            outcome = replace(outcome, dropped=bounded_notes(notes))
        if isinstance(outcome, Answer):
            return outcome
        if (instead := outcome.instead) is not None:
            notes = (*prepared.dropped, *instead.dropped)
            instead = replace(instead, dropped=bounded_notes(notes))
        named = dispensable(outcome, asked, prepared.body, prepared.names, without)
        is_value = outcome.refused_value or (
            named is not None and names_a_value(outcome.refused_field or "", named, prepared.names)
        )
        failure = replace(outcome, instead=instead, refused_field=named, refused_value=is_value)
        return self._masked(failure, request)

    def _prepare(
        self,
        request: LLMRequest,
        takes: Takes,
        left_out: Sequence[str],
        owner: Owner,
        *,
        stream: bool,
    ) -> Prepared | ProviderFailure:
        if not MODEL_NAME.fullmatch(owner.model):
            return refused("the model's name has characters that no model's name has")
        opened, closed = open_states(request, owner)
        prepared = self._api.prepare(opened, owner.model, takes, stream=stream)
        if isinstance(prepared, ProviderFailure):
            return prepared
        more = (*left_out, *closed, *request.unknown)
        return replace(prepared, dropped=(*prepared.dropped, *more)) if more else prepared

    async def _call(
        self,
        prepared: Prepared,
        body: Body,
        owner: Owner,
        timeout: float,
        stream: AnswerStream | None,
    ) -> Outcome:
        answer = await self._http.post(
            prepared.path,
            body,
            take=None if stream is None else stream.take,
            timeout=timeout,
            idle_timeout=inf if stream is None else self._settings.idle_timeout,
        )
        if isinstance(answer, HttpAnswer):
            url, _, _query = f"{self._settings.base_url}{prepared.path}".partition("?")
            return _with_place(self._read(answer, owner, stream), url, owner.model)
        # A stream with its last event is an answer, and paid for, whatever happened after it. The
        # empty line after that event may be missing.
        streamed = None if stream is None else stream.whole()
        if stream is not None and not isinstance(streamed, Mapping):
            stream.close()
            streamed = stream.whole()
        if isinstance(streamed, Mapping):
            return self._understood(streamed, owner, stream, answer.headers)
        return broken_failure(answer, timeout)

    def _read(self, answer: HttpAnswer, owner: Owner, stream: AnswerStream | None) -> Outcome:
        if not 200 <= answer.status < 300:
            return self._api.failed(answer.status, answer.headers, answer.body, now=time.time())
        if stream is not None and not answer.body:
            stream.close()
            value = stream.whole()
        else:
            value = whole_answer(answer.body, self._api.reader)
        if isinstance(value, str):
            return invalid(value)
        return self._understood(value, owner, stream, answer.headers)

    def _understood(
        self,
        value: Mapping[str, Any],
        owner: Owner,
        stream: AnswerStream | None,
        headers: Mapping[str, str],
    ) -> Outcome:
        reading = self._api.read(value)
        if isinstance(reading, ProviderFailure):
            return reading
        cost = answer_price(self._name, self._settings, owner.model, reading, headers)
        if reading.fault is not None:
            return _faulty(reading.fault, cost)
        first = stream.seconds_to_first_text if stream is not None else None
        answer = self._answer(reading, owner, cost, first)
        if not says_nothing(reading):
            return answer
        dropped = (*answer.dropped, "response: the model said nothing")
        instead = replace(answer, response="", dropped=dropped)
        return replace(_faulty("it says nothing", cost), instead=instead)

    def _answer(
        self, reading: Reading, owner: Owner, cost: Cost, seconds_to_first_text: float | None
    ) -> Answer:
        state, calls, too_large = seal_answer(owner, reading.state, reading.tool_calls)
        return Answer(
            response=reading.response,
            provider=self._name,
            model=owner.model,
            usage=reading.usage or Usage(0, 0, 0),
            cost=cost.dollars,
            cost_basis=cost.basis,
            finish_reason=reading.finish_reason,
            native_finish_reason=reading.native_finish_reason,
            response_id=reading.response_id,
            tool_calls=calls,
            provider_state=state,
            dropped=(*reading.dropped, *(("provider_state: larger than 256 KiB",) * too_large)),
            seconds_to_first_text=seconds_to_first_text,
        )

    def _masked(self, failure: ProviderFailure, request: LLMRequest) -> ProviderFailure:
        # In this one place, so that no failure can bypass it.
        message = safe_message(
            failure.message,
            secrets=(*self._secrets, *request_secrets(request)),
            prompt=request_texts(request),
        )
        return replace(failure, message=message)


def says_nothing(reading: Reading) -> bool:
    """Whether a finished answer has neither text nor calls, so that it is worth asking once more.
    Not if it was truncated or filtered, or if parts of it were left out."""
    cut = reading.finish_reason in ("length", "content_filter")
    return not (reading.response or reading.tool_calls or reading.dropped or cut)


def _checked(outcome: Outcome, check: Mapping[str, Any] | None) -> Outcome:
    """Validate a finished answer with the schema that its provider does not enforce."""
    if check is None or not isinstance(outcome, Answer) or outcome.tool_calls:
        return outcome
    if outcome.finish_reason not in ("stop", None):
        return outcome
    broken = violation(check, outcome.response or "")
    cost = Cost(outcome.cost, outcome.cost_basis)
    return outcome if broken is None else _faulty(broken, cost)


def _faulty(why: str, cost: Cost) -> ProviderFailure:
    """A paid response that is not a usable answer."""
    return replace(invalid(why), repeat_once=True, cost=cost.dollars, cost_basis=cost.basis)


def _with_place(outcome: Outcome, url: str, model: str) -> Outcome:
    """Add the URL to a 404 that does not mention a model: the path is probably wrong."""
    if not isinstance(outcome, ProviderFailure) or outcome.status_code != 404:
        return outcome
    said = outcome.message.removeprefix("HTTP 404")
    if model in said or _OF_A_MODEL.search(said) or not _OF_A_PATH.fullmatch(said):
        return outcome
    return replace(outcome, message=f"HTTP 404 at {url} (is base_url right?){said}")


def broken_failure(exchange: Broken, timeout: float) -> ProviderFailure:
    """Classify an exchange without a complete response."""
    kind = ErrorType.CONNECTION_FAILED
    match exchange.how:
        case "malformed":
            why = f": {exchange.why}" if exchange.why else ""
            failure = invalid(f"it is cut short or malformed{why}")
            return failure if exchange.headers else replace(failure, status_code=None)
        case "too_large":
            return invalid("it is too large")
        case "unconnected":
            message = f"cannot connect to {exchange.why}"
        case "lost":
            message = "the connection was lost"
        case "stalled":
            kind, message = ErrorType.TIMEOUT, "the answer came to a standstill"
        case "late":
            kind, message = ErrorType.TIMEOUT, no_answer(timeout)
    return ProviderFailure(type=kind, message=message, retryable=True, maybe_paid=exchange.sent)


@asynccontextmanager
async def open_session(
    name: str, settings: HttpSettings, key: str, api: HttpApi
) -> AsyncIterator[ProviderSession]:
    """Open a session for one worker. `key` is empty if there is none."""
    if not settings.free and not pricing.load.cache_info().currsize:
        await trio.to_thread.run_sync(pricing.load)
    use_own_threads()
    headers = {**settings.headers, **api.headers(key)}
    async with http_session(
        settings.base_url, headers, transport=settings.transport, proxy=settings.proxy
    ) as http:
        yield HttpProviderSession(name, settings, key, api, http)
