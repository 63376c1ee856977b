"""A chat completion for a model that takes this or that."""

from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes
from tests.unit.providers.conversations import USER


def outcome(
    takes: Takes, dialect: Dialect = OPENAI, *, stream: bool = False, **fields: Any
) -> Prepared | ProviderFailure:
    fields = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    return chat_call(request, "m", takes, stream=stream, dialect=dialect)


def call(takes: Takes, dialect: Dialect = OPENAI, **fields: Any) -> Prepared:
    prepared = outcome(takes, dialect, **fields)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def rest(prepared: Prepared) -> dict[str, Any]:
    """The body but for what is always there."""
    return {k: v for k, v in prepared.body.items() if k not in ("model", "messages")}


def dropped_names(prepared: Prepared) -> list[str]:
    """The names of the fields that were dropped."""
    return [it.partition(":")[0] for it in prepared.dropped]
