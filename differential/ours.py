"""Our side: the request through the contract's door, the call through the provider's session."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from differential.models import Model
from differential.readings import Reading, counts
from differential.readings import reading as told
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer
from nexus_actors.providers.kinds import load_kind
from nexus_actors.providers.port import Outcome, ProviderSession

NAMES = {"openai-chat": "openai", "openai-responses": "openai"}
"""What a provider is called in the config, where it is not the vendor's name."""


def request(model: Model, fields: Mapping[str, Any]) -> LLMRequest | Refusal:
    """What the pipeline makes of a producer's message."""
    message = {
        "request_id": "r",
        "complexity": "simple",
        "api_version": model.api_version,
        **fields,
    }
    return decode_request(json.dumps(message))


@asynccontextmanager
async def session(model: Model, url: str) -> AsyncIterator[ProviderSession]:
    """Connected to the server at `url`."""
    kind = load_kind(model.kind)
    assert kind is not None
    given = {
        "kind": model.kind,
        "base_url": f"{url}{model.root}",
        "api_key_env": "KEY",
        **model.settings,
    }
    settings = kind.settings.model_validate(given)
    name = NAMES.get(model.vendor, model.vendor)
    async with kind.open(name, settings, SecretStr("key")) as opened:
        yield opened


async def complete(
    opened: ProviderSession, model: Model, asked: LLMRequest, *, stream: bool
) -> Outcome:
    """One call."""
    on_text = (lambda _: None) if stream else None
    return await opened.complete(asked, model.name, timeout=30.0, on_text=on_text)


def reading(answer: Answer) -> Reading:
    """What came of it."""
    made = [
        (call.get("id"), call["function"]["name"], call["function"]["arguments"])
        for call in answer.tool_calls
    ]
    usage = answer.usage
    counted = counts(
        usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens
    )
    return told(answer.response, made, answer.finish_reason, counted)
