"""LiteLLM's SDK, with its local table of models."""

import logging
import os
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from differential.models import Model
from differential.readings import FAILED, Reading, of_chat, of_response

_ASKED = "How is the weather in Oslo?"


def prepare() -> None:
    """Import it so that it looks for nothing on the network and says nothing."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
    os.environ["LITELLM_LOG"] = "CRITICAL"
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def call(model: Model, url: str, fields: Mapping[str, Any]) -> Any:
    """One call, with fields that the model does not take left out, as ours does. Raises."""
    import litellm

    asked = deepcopy(dict(fields))  # it writes into what it is given
    where = {
        "model": model.litellm,
        "api_base": f"{url}{model.litellm_root}",
        "api_key": "key",
        "drop_params": True,
        "num_retries": 0,
        "max_retries": 0,
        "timeout": 30.0,
    }
    if model.api == "responses":
        return litellm.responses(**where, **asked)
    return litellm.completion(**where, **asked)


def read(model: Model, url: str, *, stream: bool) -> Reading:
    """One call and what came of it. Raises."""
    import litellm

    if model.api == "responses":
        answer = call(model, url, {"input": _ASKED, "stream": stream})
        return _last_of(answer) if stream else of_response(answer)
    turns = _turns()
    if not stream:
        return of_chat(call(model, url, {"messages": turns}))
    counted = {"stream_options": {"include_usage": True}}
    chunks = list(call(model, url, {"messages": turns, "stream": True, **counted}))
    return of_chat(litellm.stream_chunk_builder(chunks, messages=turns))


def _last_of(events: Any) -> Reading:
    for event in events:
        if event.type in ("response.completed", "response.incomplete"):
            return of_response(event.response)
    return FAILED


def cost(model: Model, url: str) -> float | None:
    """US dollars for one call, by its table; None where it has no price."""
    import litellm

    field = {"input": _ASKED} if model.api == "responses" else {"messages": _turns()}
    answer = call(model, url, field)
    provider = model.litellm.partition("/")[0]
    try:
        cost = litellm.completion_cost(
            completion_response=answer, model=model.litellm, custom_llm_provider=provider
        )
        return float(cost)
    except Exception:  # noqa: BLE001 - it raises Exception itself
        return None


def _turns() -> list[dict[str, str]]:
    return [{"role": "user", "content": _ASKED}]
