"""Probes a provider with a call that costs nothing: can its server be reached, does it accept the
key, which models does it have.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from nexus_actors.providers.http.api import HttpApi
from nexus_actors.providers.http.exchange import Broken, HttpAnswer
from nexus_actors.providers.http.provider import broken_failure
from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.http.transports import http_session
from nexus_actors.providers.lookups import use_own_threads
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.redact import safe_message

_MOST_MODELS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a successful probe showed."""

    models: frozenset[str]
    """The names of all models, as calls use them; empty if the provider does not list all."""
    proves_key: bool
    """Whether the probe would have failed with a key that does not work."""

    def has(self, model: str) -> bool:
        """Whether the model is listed, or a dated or tagged version of it."""
        longer = (f"{model}-", f"{model}:", f"{model}@")
        return model in self.models or any(it.startswith(longer) for it in self.models)


async def probe(
    settings: HttpSettings, key: str, api: HttpApi, *, timeout: float
) -> ProbeResult | ProviderFailure:
    """Make the API's free call, within `timeout` seconds. `key` is empty if there is none. No
    message contains it."""
    use_own_threads()
    call = api.free_call
    headers = {**settings.headers, **api.headers(key)}
    async with http_session(
        settings.base_url,
        headers,
        connect_timeout=timeout,
        transport=settings.transport,
        proxy=settings.proxy,
    ) as http:
        answer = await http.get(call.path, timeout=timeout)
    if isinstance(answer, Broken):
        return _masked(broken_failure(answer, timeout), key)
    if not 200 <= answer.status < 300:
        now = time.time()
        return _masked(api.failed(answer.status, answer.headers, answer.body, now=now), key)
    models = _models(answer) if call.lists_models else ()
    return ProbeResult(frozenset(models), call.proves_key)


def _masked(failure: ProviderFailure, key: str) -> ProviderFailure:
    secrets = {form for form in (key, quote(key, safe="")) if form}
    return replace(failure, message=safe_message(failure.message, secrets=secrets, prompt=()))


def _models(answer: HttpAnswer) -> Iterator[str]:
    """The names in a complete list: `data` with an `id` each, or Gemini's `models`."""
    try:
        value: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return
    if not isinstance(value, dict) or value.get("has_more") or value.get("nextPageToken"):
        return
    listed = value.get("data", value.get("models"))
    for entry in listed[:_MOST_MODELS] if isinstance(listed, list) else ():
        name = entry.get("id", entry.get("name")) if isinstance(entry, dict) else None
        if isinstance(name, str):
            yield name.removeprefix("models/")
